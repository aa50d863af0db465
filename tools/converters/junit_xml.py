#!/usr/bin/env python3
"""JUnit XML of a firmware test -> WSJF report. Version 3.0.0.

The unit is named by the suite's properties: serial, part, revision, station, operator, process. One file is one unit.

A case passes when it ran and nothing speaks against it; the unit passes when a case did, none did not, and each suite has
what its counts announce. What this converter does not understand - a status, an element, a count - is an error (E).
"""

import collections
from xml.etree import ElementTree

from annals_converter import Failed, Rejected, Skipped, run
import wsjf

BLANKS = " \t\r\n"

# What an element in a case, or in a suite, says of it.
OUTCOMES = {"error": "E", "rerunError": "E", "failure": "F", "rerunFailure": "F", "skipped": "S"}
# Runs that did not pass, of a case that did when it was run again.
FLAKY = ("flakyError", "flakyFailure")
RUNS = ("rerunError", "rerunFailure", *FLAKY)
# Elements that say nothing of how a test ended.
REMARKS = ("properties", "system-out", "system-err")

# What the attributes `status`, `result` and `outcome` say, in the words of googletest, ctest, pytest, jest and others.
WORDS = {
    "P": "run ran pass passed success successful succeeded ok complete completed executed fixed",
    "F": "fail failed failure regression",
    "E": "error errored broken crashed",
    "T": "aborted interrupted timeout timedout terminated cancelled canceled killed incomplete",
    "S": "notrun skip skipped disabled ignored suppressed pending notexecuted blocked todo",
}
STATUS_OF = {word: status for status, words in WORDS.items() for word in words.split()}
# Attributes that are true or false, and what that says.
FLAGS = {
    "success": {True: "P", False: "F"},
    "executed": {True: "P", False: "S"},
    "disabled": {True: "S", False: "P"},
    "skipped": {True: "S", False: "P"},
    "ignored": {True: "S", False: "P"},
}
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

NOT_UNDERSTOOD = "is not understood"

UNIT_KEYS = ("serial", "part", "revision", "process")


def convert(source, answer):
    root = parse(source.text())
    properties = {}
    suites = [element for element in root.iter() if element is root or element.tag == "testsuite"]
    for suite in suites:
        for entry in suite.iterfind("properties/property"):
            if entry.get("value"):
                properties.setdefault(entry.get("name", ""), entry.get("value"))

    def attribute(name):
        return next((suite.get(name) for suite in suites if suite.get(name)), "")

    answer.serial = properties.get("serial", "")
    answer.part = properties.get("part", "")
    answer.station = properties.get("station") or attribute("hostname")
    for key in ("serial", "part"):
        if not properties.get(key):
            raise Failed(f'no <property name="{key}"> names the unit')
    refuse_several_units(root, properties)
    process = wsjf.process_code(source.arguments, properties.get("process", ""))
    answer.process = str(process)

    suite = Suite(root, answer)
    if not suite.cases and not suite.objections:
        raise Skipped("there is no test case in it")
    seconds = seconds_of(attribute("time"))
    return wsjf.report(
        source,
        answer,
        wsjf.sequence(suite.name, suite.steps, seconds),
        properties.get("revision", ""),
        wsjf.times(attribute("timestamp"), "timestamp", answer, source.arguments),
        process,
        uut={"execTime": seconds, "user": properties.get("operator", "")},
        misc={"Firmware": properties.get("firmware")},
    )


def refuse_several_units(root, properties):
    """A report is of one unit: cases of another would pass, or fail, under its serial number."""
    for entry in root.iter("property"):
        key, value = entry.get("name", ""), entry.get("value", "")
        if key in UNIT_KEYS and value and value != properties.get(key):
            raise Failed(f"the file is of more than one unit: {key} '{properties.get(key, '')}' and '{value}'")


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


class Suite:
    """A suite as steps: one for each case and suite in it, and one for all that speaks against the suite itself."""

    def __init__(self, element, answer):
        self.element, self.answer = element, answer
        self.name = element.get("name") or "Tests"
        self.steps = []
        self.cases = self.runs = self.own_cases = self.objections = 0
        self.found = collections.Counter()
        for child in element:
            self.take(child)
        for status, text in attribute_outcomes(element, ("status", "result", "outcome"), ()):
            self.object(status, text)
        self.check_counts()

    def take(self, child):
        if child.tag == "testsuite":
            suite = Suite(child, self.answer)
            self.steps.append(wsjf.sequence(suite.name, suite.steps, seconds_of(child.get("time"))))
            self.cases += suite.cases
            self.runs += suite.runs
            self.objections += suite.objections
            self.found += suite.found
        elif child.tag == "testcase":
            step = step_of(child, self.answer)
            self.steps.append(step)
            self.cases += 1
            self.own_cases += 1
            self.runs += sum(run.tag in RUNS for run in child)
            self.found[step["status"]] += 1
        elif child.tag in OUTCOMES:
            status = OUTCOMES[child.tag]
            self.found[status] += 1
            self.object(status, text_of(child) or f"<{child.tag}>")
        elif child.tag not in REMARKS:
            self.object("E", f"<{child.tag}> {NOT_UNDERSTOOD}")

    def object(self, status, text):
        """Adds what speaks against the suite itself."""
        if status != "P":
            self.objections += 1
            self.steps.append(wsjf.check("Suite", status, text))
            self.answer.warnings.append(f"{self.name}: {text}")

    def announced(self, *names):
        """What the suite announces under any of these names."""
        most = 0
        for name in names:
            text = self.element.get(name, "").strip(BLANKS)
            number = wsjf.count(text)
            if text and number is None:
                self.object("E", f"{name}='{text}' is not a number of test cases")
            most = max(most, number or 0)
        return most

    def check_counts(self):
        """The suite has what it announces: a case that is missing, or that hides how it ended, never passes."""
        tests = self.announced("tests")
        if tests > self.cases + self.runs:
            self.object("E", f"{tests} test cases are announced, there are {self.cases}")
        elif tests and tests < self.own_cases:
            self.answer.warnings.append(f"{self.name}: {tests} test cases are announced, there are {self.own_cases}")
        failures, errors = self.announced("failures"), self.announced("errors")
        bad = sum(self.found[status] for status in "EFT")
        if failures + errors > bad + self.runs:
            status = "F" if failures else "E"
            self.object(status, f"{failures} failures and {errors} errors are announced, there are {bad}")
        not_run = self.announced("skipped", "skip", "ignored") + self.announced("disabled") + self.announced("notrun")
        if not_run > self.found["S"]:
            self.object("E", f"{not_run} test cases that did not run are announced, there are {self.found['S']}")


def step_of(case, answer):
    name = case.get("name") or "unnamed"
    outcomes = [("P", None)]
    for child in case:
        if child.tag in OUTCOMES:
            outcomes.append((OUTCOMES[child.tag], text_of(child)))
        elif child.tag in FLAKY:
            answer.warnings.append(f"{name}: passed only when it was run again")
        elif child.tag not in REMARKS:
            outcomes.append(("E", f"<{child.tag}> {NOT_UNDERSTOOD}"))
            answer.warnings.append(f"{name}: <{child.tag}> {NOT_UNDERSTOOD}")
    for status, text in attribute_outcomes(case, ("status", "result", "outcome"), FLAGS):
        outcomes.append((status, text))
        if text.endswith(NOT_UNDERSTOOD):
            answer.warnings.append(f"{name}: {text}")
    # A case that did not run did not pass, whatever else is said of it.
    status = next(status for status in "EFTSP" if any(found == status for found, _ in outcomes))
    text = next((text for found, text in outcomes if found == status and text), None)
    return wsjf.check(name, status, text, seconds_of(case.get("time")))


def attribute_outcomes(element, names, flags):
    """What the attributes of an element say of how it ended, each with a text."""
    outcomes = []
    for name in names:
        text = element.get(name, "")
        word = "".join(letter for letter in text.lower() if letter not in "_- ")
        if word:
            status = STATUS_OF.get(word)
            outcomes.append((status or "E", f"{name}: {text}" if status else f"{name}: '{text}' {NOT_UNDERSTOOD}"))
    for name in flags:
        text = element.get(name, "").strip(BLANKS).lower()
        if text:
            status = flags[name].get(TRUTHS.get(text))
            outcomes.append((status or "E", f"{name}: {text}" if status else f"{name}: '{text}' {NOT_UNDERSTOOD}"))
    return outcomes


def text_of(element):
    return element.get("message") or (element.text or "").strip(BLANKS)


if __name__ == "__main__":
    run(convert)
