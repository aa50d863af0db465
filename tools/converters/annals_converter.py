"""The converter protocol: one conversion a process, or one JSON request a line (`--worker`).

A converter is a function `convert(source, answer)` that gives a report, or a list of reports; `run(convert)` makes a program
of it. Copy this file beside your converter and name both in the converter's `bundle`. Python 3.8 or newer, standard library
only.
"""

import argparse
import contextlib
import hashlib
import json
import os
import sys
import traceback


class Refusal(Exception):
    """There is no report. The message says what is wrong, and where."""

    status = "failed"


class Failed(Refusal):
    """The source should have been convertible: it is cut short or contradicts itself."""


class Rejected(Refusal):
    """The source is not what this converter is for; another run will not help."""

    status = "rejected"


class Skipped(Refusal):
    """The source is fine and there is nothing in it to report."""

    status = "skipped"


class Answer:
    """What is known beside the report. Fill it as early as possible: it is kept when the conversion fails later,
    so that a broken file can still be found by its serial number."""

    def __init__(self):
        self.serial = ""
        self.part = ""
        self.station = ""
        self.process = ""
        self.warnings = []


class Source:
    """The bytes to convert, the name they came under, and the arguments of the converter."""

    def __init__(self, data, name="", arguments=None):
        self.data = data
        self.name = name
        self.arguments = dict(arguments or {})
        self._sha256 = None

    def sha256(self):
        """The digest of the content, in hexadecimal."""
        if self._sha256 is None:
            self._sha256 = hashlib.sha256(self.data).hexdigest()
        return self._sha256

    def text(self):
        """The content as text without its byte order mark."""
        if not self.data:
            raise Rejected("the file is empty")
        if not self.data.strip(b"\0 \t\r\n"):
            raise Rejected("the file holds only blanks or zero bytes")
        try:
            text = self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Failed(f"not UTF-8 text: byte {error.start} cannot be decoded") from None
        return text[1:] if text.startswith("\ufeff") else text

    def lines(self):
        """The lines that are whole, and the rest after the last line end: "" unless the file is cut short."""
        lines = [line[:-1] if line.endswith("\r") else line for line in self.text().split("\n")]
        return lines[:-1], lines[-1]


def answer_to(convert, source):
    """Runs `convert` and gives the protocol's answer; whatever happens, there is an answer."""
    answer = Answer()
    status, report, error = "success", None, None
    try:
        # A stray print() must not get between the answers.
        with contextlib.redirect_stdout(sys.stderr):
            report = convert(source, answer)
        encode(report)  # a report that is no JSON is a bug of this converter, and not of the host
        if not all_reports(report):
            kind = "nothing" if report is None else "an empty list" if report == [] else f"{report!r:.40}"
            raise TypeError(f"it gave {kind} where a report was due")
    except Refusal as refusal:
        status, error = refusal.status, str(refusal)
    except Exception as bug:
        traceback.print_exc()
        status, report, error = "failed", None, f"the converter has a bug: {type(bug).__name__}: {bug}"
    several = report if isinstance(report, list) else None
    return {
        "status": status,
        "report": None if several else report,
        **({"reports": several} if several else {}),
        "error": error,
        "warnings": answer.warnings,
        "serial": answer.serial,
        "part": answer.part,
        "station": answer.station,
        "process": answer.process,
    }


def all_reports(given):
    """Whether a converter gave a report, or some. One that forgot its `return` gave none, and none is no success."""
    reports = given if isinstance(given, list) else [given]
    return bool(reports) and all(isinstance(report, dict) and report for report in reports)


def read_and_answer(convert, path, name, arguments):
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        return {"status": "failed", "report": None, "error": f"cannot read {path}: {error.strerror}"}
    return answer_to(convert, Source(data, name or os.path.basename(path), arguments))


def answer_request(convert, line):
    """Answers one line of worker input."""
    try:
        request = json.loads(line)
        number, path = request["id"], request["input"]
    except (ValueError, KeyError, TypeError) as error:
        return {"id": None, "status": "failed", "report": None, "error": f"not a request: {error!r}"}
    answer = read_and_answer(convert, path, request.get("name"), request.get("arguments"))
    return {"id": number, **answer}


def encode(value):
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def write(answer):
    sys.stdout.buffer.write(encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def run(convert):
    """The program: `converter.py FILE [--argument KEY=VALUE]...` or `converter.py --worker`."""
    parser = argparse.ArgumentParser(description=sys.modules[convert.__module__].__doc__)
    parser.add_argument("file", nargs="?", help="the file to convert")
    parser.add_argument("--argument", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--worker", action="store_true", help="answer JSON requests from standard input")
    options = parser.parse_args()
    if options.worker:
        for line in sys.stdin.buffer:
            if line.strip():
                write(answer_request(convert, line))
        return
    if options.file is None:
        parser.error("name a file, or pass --worker")
    try:
        arguments = json.loads(os.environ.get("ANNALS_ARGUMENTS") or "{}")
    except ValueError as error:
        parser.error(f"ANNALS_ARGUMENTS is not JSON: {error}")
    for argument in options.argument:
        key, equals, value = argument.partition("=")
        if not equals:
            parser.error(f"--argument {argument}: expected KEY=VALUE")
        arguments[key] = value
    write(read_and_answer(convert, options.file, os.environ.get("ANNALS_NAME"), arguments))
