#!/usr/bin/env python3
"""JSON-lines log of a functional test -> WSJF report. Version 2.0.0.

One event a line: `start` names the unit, `phase` opens a group of steps, `measure`, `compare` and `check` are steps,
`log` is for people, `end` has the verdict. A log without its `end` is refused. A unit passes when `end` says so, at least one
step passed and none failed; an event that is not understood is an error (E): nobody knows what it says of the unit.
"""

import json

from annals_converter import Failed, Rejected, encode, run
import wsjf

STEPS = ("measure", "compare", "check")


def convert(source, answer):
    lines, cut = source.lines()
    events = []
    for index, line in enumerate(lines):
        events.append(read_event(line, f"line {index + 1}"))
    if not events:
        raise Failed("the log is cut short: line 1 breaks off")
    start = events[0]
    if start["event"] != "start":
        raise Rejected("not a functional test log: the first event is not 'start'")
    answer.serial = text_of(start, "serial", "line 1")
    answer.part = text_of(start, "part", "line 1")
    answer.station = text_of(start, "station", "line 1")
    process = wsjf.process_code(source.arguments, start.get("process", ""))
    answer.process = str(process)
    if cut:
        raise Failed(f"the log is cut short: line {len(lines) + 1} breaks off, there is no 'end'")
    end = events[-1]
    if end["event"] != "end":
        raise Failed(f"the log is cut short: there is no 'end' after line {len(lines)}")

    groups, count = [], 0
    for index, event in enumerate(events[1:-1], start=2):
        where = f"line {index}"
        if event["event"] == "phase":
            groups.append((text_of(event, "name", where), []))
            continue
        if event["event"] in ("start", "end"):
            raise Failed(f"{where}: a second '{event['event']}': the log is of more than one test")
        if event["event"] not in ("log", *STEPS):
            answer.warnings.append(f"{where}: the event '{event['event']}' is not understood")
            step = wsjf.check(event["event"], "E", "the event is not understood")
        else:
            step = read_step(event, where, answer)
            count += step is not None
        if step is not None:
            if not groups:
                groups.append(("Test", []))
            groups[-1][1].append(step)
    where = f"line {len(lines)}"
    if number_of(end, "steps", where) != count:
        raise Failed(f"{where}: 'end' announces {end['steps']} steps, there are {count}")

    seconds = number_of(end, "seconds", where)
    name = text_of(start, "sequence", "line 1")
    root = wsjf.sequence(name, [wsjf.sequence(name, steps) for name, steps in groups], seconds)
    verdict = text_of(end, "result", where)
    if verdict not in ("PASS", "FAIL"):
        raise Failed(f"{where}: the result '{verdict}' is neither PASS nor FAIL")
    if root["status"] not in (verdict[0], "S"):
        answer.warnings.append(f"'end' says {verdict}, the steps say otherwise")
    if verdict == "FAIL":
        root["status"] = wsjf.worst((root["status"], "F"))
    return wsjf.report(
        source,
        answer,
        root,
        text_of(start, "revision", "line 1"),
        wsjf.times(text_of(start, "t", "line 1"), "line 1, t", answer, source.arguments),
        process,
        uut={"execTime": seconds, "user": text_of(start, "operator", "line 1")},
        misc={"Firmware": text_of(start, "firmware", "line 1")},
    )


def read_event(line, where):
    try:
        event = json.loads(line, parse_constant=not_json)
        encode(event)  # refuses half of a surrogate pair, which JSON can spell and no text can hold
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise Failed(f"{where} is not a JSON object with an 'event'")
    return event


def not_json(word):
    raise ValueError(word)


def read_step(event, where, answer):
    kind = event["event"]
    if kind == "log":
        return None
    name = text_of(event, "name", where)
    passed = event.get("pass")
    if not isinstance(passed, bool):
        raise Failed(f"{where}: 'pass' is neither true nor false")
    seconds = number_of(event, "seconds", where)
    if kind == "measure":
        value = number_of(event, "value", where)
        low = number_of(event, "low", where) if event.get("low") is not None else None
        high = number_of(event, "high", where) if event.get("high") is not None else None
        inside = (low is None or low <= value) and (high is None or value <= high)
        if inside != passed:
            answer.warnings.append(f"{where} ({name}): the log says {said(passed)}, the limits say otherwise")
        return wsjf.measurement(name, value, text_of(event, "unit", where), low, high, said(passed)[0], seconds)
    if kind == "compare":
        value, expected = text_of(event, "value", where), text_of(event, "expected", where)
        if (value == expected) != passed:
            answer.warnings.append(f"{where} ({name}): the log says {said(passed)}, the texts say otherwise")
        return wsjf.comparison(name, value, expected, passed, seconds)
    text = text_of(event, "text", where) if "text" in event else None
    return wsjf.check(name, "P" if passed else "F", text, seconds)


def said(passed):
    return "PASS" if passed else "FAIL"


def text_of(event, key, where):
    value = event.get(key)
    if not isinstance(value, str) or not value:
        raise Failed(f"{where}: '{key}' is missing or is not text")
    return value


def number_of(event, key, where):
    value = event.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300:
        raise Failed(f"{where}: '{key}' is missing or is not a number")
    return float(value)


if __name__ == "__main__":
    run(convert)
