#!/usr/bin/env python3
"""JUnit XML of a firmware test -> WSJF report. Version 2.3.0.

The unit is named by the suite's properties: serial, part, revision, station, operator, process.
"""

from xml.etree import ElementTree

from annals_converter import Failed, Rejected, Skipped, run
import wsjf

BLANKS = " \t\r\n"


def convert(source, answer):
    root = parse(source.text())
    properties = {}
    suites = [element for element in root.iter() if element is root or element.tag == "testsuite"]
    for suite in suites:
        for entry in suite.iterfind("properties/property"):
            properties.setdefault(entry.get("name", ""), entry.get("value", ""))

    def attribute(name):
        return next((suite.get(name) for suite in suites if suite.get(name)), "")

    answer.serial = properties.get("serial", "")
    answer.part = properties.get("part", "")
    answer.station = properties.get("station") or attribute("hostname")
    for key in ("serial", "part"):
        if not properties.get(key):
            raise Failed(f'no <property name="{key}"> names the unit')
    process = wsjf.process_code(source.arguments, properties.get("process", ""))
    answer.process = str(process)

    cases = sum(1 for _ in root.iter("testcase"))
    if not cases:
        raise Skipped("there is no test case in it")
    announced = wsjf.count(root.get("tests", ""))
    if announced not in (None, cases):
        answer.warnings.append(f"the file announces {announced} test cases, there are {cases}")
    seconds = seconds_of(attribute("time"))
    return wsjf.report(
        source,
        answer,
        wsjf.sequence(root.get("name") or "Tests", steps_of(root), seconds),
        properties.get("revision", ""),
        wsjf.times(attribute("timestamp"), "timestamp", answer, source.arguments),
        process,
        uut={"execTime": seconds, "user": properties.get("operator", "")},
        misc={"Firmware": properties.get("firmware")},
    )


def parse(text):
    """The root element. A file that is cut short is refused with the number of test cases that are whole."""
    if "<!DOCTYPE" in text:
        raise Rejected("not a JUnit report: it has a DOCTYPE")
    root, whole = None, 0
    try:
        for event, element in events(text):
            if root is None:
                root = element
            whole += event == "end" and element.tag == "testcase"
    except ElementTree.ParseError:
        announced = None if root is None else wsjf.count(root.get("tests", ""))
        of = "" if announced is None else f" of {announced}"
        raise Failed(f"the XML is cut short or malformed: {whole}{of} test cases are whole") from None
    if root.tag not in ("testsuites", "testsuite"):
        raise Rejected(f"not a JUnit report: the root element is <{root.tag}>")
    return root


def events(text):
    parser = ElementTree.XMLPullParser(["start", "end"])
    parser.feed(text)
    yield from parser.read_events()
    parser.close()
    yield from parser.read_events()


def seconds_of(text):
    return wsjf.number(text, "time") if text else None


def steps_of(element):
    steps = []
    for child in element:
        if child.tag == "testsuite":
            steps.append(wsjf.sequence(child.get("name") or "Tests", steps_of(child), seconds_of(child.get("time"))))
        elif child.tag == "testcase":
            steps.append(step_of(child))
    return steps


def step_of(case):
    status, text = "P", None
    for tag, bad in (("error", "E"), ("failure", "F"), ("skipped", "S")):
        found = case.find(tag)
        if found is not None:
            status = bad
            text = found.get("message") or (found.text or "").strip(BLANKS)
            break
    return wsjf.check(case.get("name") or "unnamed", status, text, seconds_of(case.get("time")))


if __name__ == "__main__":
    run(convert)
