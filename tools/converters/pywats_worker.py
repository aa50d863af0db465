#!/usr/bin/env python3
"""Runs a converter class of the real WATS client (pywats-api), one request a line, without a server.

    pywats_worker.py MODULE:CLASS             answer JSON requests from standard input (`mode = "worker"`)
    pywats_worker.py MODULE:CLASS FILE        convert one file
    pywats_worker.py MODULE:CLASS --describe  say what the class is and what arguments it takes

Needs the client's own Python (3.10 or newer) with the client in it. Put the class's own file beside this one and name
it in the bundle where a recorded conversion must be repeatable to the letter.
"""

import argparse
import contextlib
import hashlib
import importlib
import inspect
import json
import os
import platform
import sys
import tempfile
import traceback
import uuid
import zipfile
from pathlib import Path

from annals_converter import encode

# Ids of reports made with --stable-id are drawn from this name space and the source's SHA-256.
NAMESPACE = uuid.UUID("0d4e0c0a-4a0e-4a57-9a53-6a1f0f0c8f5d")

# The results a report may have: passed, failed, error, terminated.
RESULTS = ("P", "F", "E", "T")

STATUSES = ("success", "failed", "suspended", "skipped", "rejected")

# What the client's pool is documented to do with the confidence that `validate` gives.
REJECT_BELOW = 0.2
ALARM_BELOW = 0.5

UNPACKED_BYTES_MAX = 1 << 30


class Unusable(Exception):
    """The class cannot be used at all."""


class Client:
    """What is used of the client, so that tests can bring one of their own."""

    def __init__(self, models, context):
        self.models = models
        self.context = context

    @classmethod
    def installed(cls):
        try:
            models = importlib.import_module("pywats_client.converters.models")
            context = importlib.import_module("pywats_client.converters.context")
        except ImportError as error:
            raise Unusable(f"the client is not installed in {sys.executable}: {error}") from None
        return cls(models, context)

    def source(self, path):
        return self.models.ConverterSource.from_file(Path(path))

    def context_for(self, path, arguments):
        return self.context.ConverterContext(drop_folder=Path(path).parent, arguments=arguments)


def load(word):
    """The class named `MODULE:CLASS`."""
    module_name, colon, class_name = word.partition(":")
    if not colon or not module_name or not class_name:
        raise Unusable(f"'{word}' is not MODULE:CLASS")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise Unusable(f"cannot import {module_name}: {error}") from None
    kind = getattr(module, class_name, None)
    if not inspect.isclass(kind):
        names = sorted(name for name, value in vars(module).items() if inspect.isclass(value) and hasattr(value, "convert"))
        raise Unusable(f"{module_name} has no class {class_name}; it has {', '.join(names) or 'no converter'}")
    if inspect.isabstract(kind) or not callable(getattr(kind, "convert", None)):
        raise Unusable(f"{word} cannot convert: it is abstract or has no convert()")
    return kind


def word_of(value):
    """The word of an enumeration's member, or the text itself."""
    return str(getattr(value, "value", value))


def texts(values):
    return [str(value) for value in values or []]


def typed(schema, arguments):
    """The arguments as the class wants them; the host passes texts. Also gives what it has no use for."""
    values, unknown = {}, []
    for name, text in arguments.items():
        definition = schema.get(name)
        if definition is None:
            unknown.append(name)
            continue
        values[name] = value = typed_value(name, word_of(definition.arg_type), text)
        fits, why = definition.validate(value)
        if not fits:
            raise ValueError(f"argument {name}: {why}")
    for name, definition in schema.items():
        if getattr(definition, "required", False) and name not in values:
            raise ValueError(f"argument {name} is missing")
    return values, unknown


def typed_value(name, kind, text):
    if not isinstance(text, str):
        return text
    try:
        if kind == "integer":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError:
        raise ValueError(f"argument {name}: '{text}' is not a number") from None
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise ValueError(f"argument {name}: '{text}' is neither true nor false")
        return text.lower() == "true"
    return text


def plain(report):
    """A report as JSON values: in WSJF, as the client would send it."""
    if hasattr(report, "model_dump"):
        report = report.model_dump(mode="json", by_alias=True, exclude_none=True)
    if not isinstance(report, (dict, list)):
        raise TypeError(f"a report is a {type(report).__name__}, not a report")
    encode(report)
    return report


def unpacked(path, folder):
    """Unpacks a zip file into `folder`; gives the one file at its top, which the others belong to."""
    with zipfile.ZipFile(path) as packed:
        members = [member for member in packed.infolist() if not member.is_dir()]
        if sum(member.file_size for member in members) > UNPACKED_BYTES_MAX:
            raise ValueError(f"the zip file holds more than {UNPACKED_BYTES_MAX >> 20} MiB")
        top = [member.filename for member in members if "/" not in member.filename]
        if len(top) != 1:
            raise ValueError(f"the zip file must have one file at its top, beside folders; it has {len(top)}")
        packed.extractall(folder)
    return os.path.join(folder, top[0])


def stable_id(data, index):
    text = hashlib.sha256(data).hexdigest() + (f"#{index}" if index else "")
    return str(uuid.uuid5(NAMESPACE, text))


def unit_of(reports, seen):
    """Who was tested: as the reports say it, else as `validate` saw it."""
    first = reports[0] if reports and isinstance(reports[0], dict) else {}

    def pick(key, attribute):
        value = first.get(key)
        if value in (None, ""):
            value = getattr(seen, attribute, None)
        return "" if value is None else str(value)

    return {
        "serial": pick("sn", "detected_serial_number"),
        "part": pick("pn", "detected_part_number"),
        "station": pick("machineName", "detected_station"),
        "process": pick("processCode", "detected_process"),
    }


class Worker:
    """One converter class. Each conversion gets an object of its own: nothing is left over from the file before."""

    def __init__(self, kind, client, keep_ids=True, unpack=False):
        self.kind = kind
        self.client = client
        self.keep_ids = keep_ids
        self.unpack = unpack

    def answer(self, path, arguments):
        """The protocol's answer, whatever happens."""
        answer = {"status": "failed", "report": None, "error": None, "warnings": []}
        try:
            # A print() of the class must not get between the answers.
            with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder:
                main_file = unpacked(path, folder) if self.unpack and zipfile.is_zipfile(path) else path
                self.convert(main_file, arguments, answer)
            encode(answer)
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            answer.pop("reports", None)
            answer.update(status="failed", report=None, error=f"{type(error).__name__}: {error}")
        return answer

    def convert(self, path, arguments, answer):
        converter = self.kind()
        values, unknown = typed(getattr(converter, "arguments_schema", None) or {}, arguments)
        answer["warnings"] += [f"the converter knows no argument '{name}'" for name in unknown]
        context = self.client.context_for(path, values)
        source = self.client.source(path)
        converter.on_load(context)
        try:
            seen = converter.validate(source, context)
            answer.update(unit_of([], seen))
            answer["warnings"] += texts(getattr(seen, "warnings", None))
            if self.refuse(seen, context, answer):
                return
            self.take(converter.convert(source, context), seen, path, answer)
        finally:
            converter.on_unload()

    def refuse(self, seen, context, answer):
        """True when `validate` says that there is nothing to convert, or not yet."""
        if not seen.can_convert:
            answer.update(status="rejected", error=seen.message or "the converter does not take this file")
            return True
        if not seen.ready:
            missing = ", ".join(texts(seen.missing_dependencies))
            answer.update(status="suspended", error=seen.message or f"waits for {missing}")
            answer["retry_after_s"] = seconds(seen.retry_after)
            return True
        confidence = float(seen.confidence)
        # Said this way round, so that NaN is no confidence either.
        if not confidence >= getattr(context, "reject_threshold", REJECT_BELOW):
            why = f": {seen.message}" if seen.message else ""
            answer.update(status="rejected", error=f"the converter's confidence is only {confidence:g}{why}")
            return True
        if confidence < getattr(context, "alarm_threshold", ALARM_BELOW):
            answer["warnings"].append(f"the converter's confidence is only {confidence:g}")
        return False

    def take(self, result, seen, path, answer):
        status = word_of(result.status)
        if status not in STATUSES:
            raise ValueError(f"the converter answered with the unknown status '{status}'")
        answer["warnings"] += texts(result.warnings)
        reason = result.error or getattr(result, "suspend_reason", None)
        if status != "success":
            answer.update(status=status, error=str(reason) if reason else None)
            if status == "suspended":
                answer["retry_after_s"] = seconds(result.retry_after)
            return
        given = list(result.reports or []) or ([] if result.report is None else [result.report])
        reports = [plain(report) for report in given]
        if result.error:
            # One of the two is not meant, and a report that is not meant must not count as one.
            answer["error"] = f"the converter answered success with an error: {result.error}"
            return
        if not reports:
            # It may have meant to send the report itself, but there is no server here: nothing came of it.
            answer["error"] = "the converter answered success without a report"
            return
        if not self.keep_ids:
            data = Path(path).read_bytes()
            for index, report in enumerate(reports):
                if isinstance(report, dict):
                    report["id"] = stable_id(data, index)
        answer.update(unit_of(reports, seen))
        for report in reports:
            answer["warnings"] += doubts(report)
        answer["status"] = "success"
        if reason:
            answer["warnings"].append(str(reason))
        if len(reports) == 1:
            answer["report"] = reports[0]
        else:
            answer["reports"] = reports


def doubts(report):
    """What makes a report's result doubtful. The class's own default is passed, so a result may be one that nobody set."""
    if not isinstance(report, dict) or report.get("type") == "R":
        return []  # a repair has no steps
    name, result = report.get("sn") or "the report", report.get("result")
    if result is not None and result not in RESULTS:
        return [f"{name}: the result is {result!r}, which is none of {', '.join(RESULTS)}"]
    if result != "P":
        return []
    pending, tests = [report.get("root")], 0
    while pending:
        step = pending.pop()
        if not isinstance(step, dict):
            continue
        inner = step.get("steps") or []
        tests += len(inner)
        if step.get("status") in ("F", "E", "T"):
            return [f"{name}: the report passed, its step '{step.get('name', '')}' did not ({step['status']})"]
        pending.extend(reversed(inner))
    return [] if tests else [f"{name}: the report passed without a step"]


def seconds(delta):
    return delta.total_seconds() if hasattr(delta, "total_seconds") else delta


def answer_line(worker, line):
    """Answers one line of worker input."""
    try:
        request = json.loads(line)
        number, path = request["id"], request["input"]
        arguments = dict(request.get("arguments") or {})
    except (ValueError, KeyError, TypeError) as error:
        return {"id": None, "status": "failed", "report": None, "error": f"not a request: {error!r}"}
    return {"id": number, **worker.answer(path, arguments)}


def describe(kind):
    converter = kind()
    client = package_version("pywats-api")
    print(f"{converter.name}, version {converter.version}")
    print(f"environment: Python {platform.python_version()}{client and ', pywats-api ' + client}")
    print(f"file: {inspect.getsourcefile(kind)}")
    for name, definition in (getattr(converter, "arguments_schema", None) or {}).items():
        default = f" [{definition.default}]" if definition.default not in (None, "") else ""
        print(f"argument {name}: {word_of(definition.arg_type)}{default} {definition.description}".rstrip())


def package_version(name):
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def answers_only():
    """Standard output for answers alone: what else is written there, by C code and child processes too, goes to
    standard error."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def main(words=None, client=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("converter", metavar="MODULE:CLASS")
    parser.add_argument("file", nargs="?", help="the file to convert; without it requests are read from standard input")
    parser.add_argument("--describe", action="store_true", help="say what the class is and what arguments it takes")
    parser.add_argument(
        "--stable-id",
        action="store_true",
        help="draw report ids from the source's content: a report that is made again then takes the place of the one before",
    )
    parser.add_argument(
        "--unpack",
        action="store_true",
        help="unpack a source that is a zip file and convert the one file at its top; for classes that also read files beside theirs",
    )
    options = parser.parse_args(words)
    try:
        if options.describe:
            describe(load(options.converter))
            return
        with answers_only() as answers:
            client = client or Client.installed()
            worker = Worker(load(options.converter), client, not options.stable_id, options.unpack)

            def write(answer):
                answers.write(encode(answer) + b"\n")
                answers.flush()

            if options.file is not None:
                arguments = json.loads(os.environ.get("ANNALS_ARGUMENTS") or "{}")
                write(worker.answer(options.file, arguments))
                return
            for line in sys.stdin.buffer:
                if line.strip():
                    write(answer_line(worker, line))
    except Unusable as error:
        sys.exit(f"pywats_worker: {error}")


if __name__ == "__main__":
    main()
