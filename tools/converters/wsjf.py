"""Pieces of a WSJF report (the JSON form of a WATS unit test report), and the checks its fields need."""

import datetime
import math
import re
import uuid

from annals_converter import Failed

# Report ids are drawn from this name space and the source's SHA-256: the same source always gets the same id, so a
# corrected report takes the place of the wrong one.
NAMESPACE = uuid.UUID("6f1b3a52-8c0d-4e7e-9a57-1d2c64b0f3e8")

NAME_CHARS_MAX = 100

# How a step can end, the gravest first: error, failed, terminated (broken off), passed, done (not judged), skipped.
BY_WEIGHT = "EFTPDS"
# How a unit can end. Where nothing passed and nothing failed, nobody knows whether it is good: that is an error.
UNIT_RESULTS = "EFTP"


def worst(statuses):
    """The gravest of some statuses; of none it is None."""
    return min(statuses, key=BY_WEIGHT.index, default=None)

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(\.[0-9]{1,6})?(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"
)


def report_id(source, index=0):
    """The id of a report; `index` tells the reports of one source apart."""
    return str(uuid.uuid5(NAMESPACE, source.sha256() + (f"#{index}" if index else "")))


def number(text, what, decimal="."):
    """The number that `text` is, written with `decimal` as its decimal mark."""
    if re.fullmatch(rf"[+-]?[0-9]+({re.escape(decimal)}[0-9]+)?([eE][+-]?[0-9]+)?", text):
        value = float(text.replace(decimal, "."))
        if math.isfinite(value):
            return value
    raise Failed(f"{what}: '{text}' is not a number with decimal mark '{decimal}'")


def count(text):
    """The number of things that `text` announces, or None if it is no such number."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def times(text, what, answer, arguments):
    """`start` and `startUTC` of a report. A time without an offset is at the argument `utc_offset`."""
    match = _TIME.fullmatch(text)
    wrong = Failed(f"{what}: '{text}' is not a time such as 2025-03-03T08:14:22+01:00")
    if not match:
        raise wrong
    offset = match.group(8)
    if offset is None:
        offset = arguments.get("utc_offset")
        if offset is None:
            offset = "+00:00"
            answer.warnings.append(f"{what} has no offset and is taken as UTC; set the argument utc_offset")
        elif not re.fullmatch(r"Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]", str(offset)):
            raise Failed(f"argument utc_offset: '{offset}' is not an offset such as +01:00")
        text += offset
    seconds = 0
    if offset != "Z":
        seconds = int(offset[1:3]) * 3600 + int(offset[4:6]) * 60
        seconds = -seconds if offset[0] == "-" else seconds
    try:
        local = datetime.datetime(*(int(part) for part in match.groups()[:6]))
        utc = local - datetime.timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise wrong from None
    return text, utc.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + (match.group(7) or "") + "Z"


def process_code(arguments, from_source):
    """The process code: the argument `operation`, else what the source says."""
    text = str(arguments.get("operation") or from_source)
    code = count(text)
    if code is None:
        raise Failed(f"process: '{text}' is not a whole number; set the argument operation")
    return code


def measurement(name, value, unit, low, high, status, seconds=None, text=None):
    """A numeric limit test; a limit that is None is open, `text` says why it did not just pass or fail."""
    operator = {
        (False, False): "LOG",
        (True, False): "GE",
        (False, True): "LE",
        (True, True): "GELE",
    }[(low is not None, high is not None)]
    if operator == "LE":
        # An operator with one limit has it in `lowLimit`, whichever side it is on.
        low, high = high, None
    step = _step("ET_NLT", name, status, seconds)
    if text:
        step["reportText"] = text
    step["numericMeas"] = [
        {
            "compOp": operator,
            "name": None,
            "status": status,
            "unit": unit,
            "value": value,
            "highLimit": high,
            "lowLimit": low,
        }
    ]
    return step


def check(name, status, text=None, seconds=None):
    """A pass/fail test; `text` says why."""
    step = _step("ET_PFT", name, status, seconds)
    step["booleanMeas"] = [{"name": None, "status": status}]
    if text:
        step["reportText"] = text
    return step


def comparison(name, value, expected, passed, seconds=None):
    """A string test."""
    status = "P" if passed else "F"
    step = _step("ET_SVT", name, status, seconds)
    step["stringMeas"] = [
        {"compOp": "CASESENSIT", "name": None, "status": status, "value": value, "limit": expected}
    ]
    return step


def sequence(name, steps, seconds=None):
    """Steps under one name: as bad as the worst of them, and passed only where one of them passed."""
    found = {step["status"] for step in steps}
    step = _step("SequenceCall", name, worst(found) or "S", seconds)
    step["steps"] = steps
    return step


def _step(kind, name, status, seconds):
    step = {"group": "M", "stepType": kind, "name": name[:NAME_CHARS_MAX], "status": status}
    if seconds is not None:
        step["totTime"] = seconds
    return step


def report(source, answer, root, revision, start, process, uut=None, misc=None, index=0):
    """The whole report. `start` is what `times` gave, `misc` maps descriptions to texts."""
    first_failed = _number_steps(root)
    result = root["status"]
    if result not in UNIT_RESULTS:
        result = "E"
        answer.warnings.append("no step of the test passed or failed: the result is an error")
    start, start_utc = start
    return {
        "type": "T",
        "id": report_id(source, index),
        "pn": answer.part,
        "sn": answer.serial,
        "rev": revision,
        "processCode": process,
        "result": result,
        "machineName": answer.station,
        "location": source.arguments.get("location", ""),
        "purpose": source.arguments.get("purpose", "Production"),
        "start": start,
        "startUTC": start_utc,
        "root": root,
        "uut": {**(uut or {}), "stepIdCausedUUTFailure": first_failed},
        "miscInfos": [
            {"description": description, "text": text} for description, text in (misc or {}).items() if text
        ],
    }


def _number_steps(root):
    """Numbers all steps in order of execution; marks and gives the first that made the unit fail."""
    first_failed, pending, count = None, [root], 0
    while pending:
        step = pending.pop()
        count += 1
        step["id"] = count
        caused = first_failed is None and "steps" not in step and step["status"] in "EFT"
        step["causedUUTFailure"] = caused
        if caused:
            first_failed = count
        pending.extend(reversed(step.get("steps", [])))
    return first_failed
