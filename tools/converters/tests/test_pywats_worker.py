"""The real client's converters raise, answer success with nothing, print to standard output and guess. None of that may
end as a report that was never made, or as an answer that cannot be read. The client here is a small one that behaves
like it; the real one is not needed."""

import contextlib
import datetime
import io
import json
import os
import subprocess
import sys
import tempfile
import types
import unittest
import zipfile

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, FOLDER)

import pywats_worker  # noqa: E402

# A client as a module of its own, so that the program too can be run with it.
CLIENT = '''
import enum, os, sys
from dataclasses import dataclass, field

class Status(enum.Enum):
    SUCCESS = "success"; FAILED = "failed"; SUSPENDED = "suspended"; SKIPPED = "skipped"; REJECTED = "rejected"

class Kind(enum.Enum):
    STRING = "string"; INTEGER = "integer"; BOOLEAN = "boolean"

@dataclass
class Definition:
    arg_type: Kind
    default: object = None
    description: str = ""
    required: bool = False
    def validate(self, value):
        return (True, "") if value != 99 else (False, "Value must be <= 98")

@dataclass
class Validation:
    can_convert: bool = True
    confidence: float = 0.9
    detected_serial_number: str = None
    message: str = ""
    warnings: list = field(default_factory=list)
    ready: bool = True
    missing_dependencies: list = field(default_factory=list)
    retry_after: object = None

@dataclass
class Result:
    status: Status
    report: object = None
    reports: list = field(default_factory=list)
    error: str = None
    warnings: list = field(default_factory=list)
    suspend_reason: str = None
    retry_after: object = None

class Model:
    def __init__(self, **values): self.values = values
    def model_dump(self, mode, by_alias, exclude_none): return dict(self.values)

@dataclass
class ConverterSource:
    path: object
    @classmethod
    def from_file(cls, path): return cls(path)

@dataclass
class ConverterContext:
    drop_folder: object = None
    arguments: dict = field(default_factory=dict)
    reject_threshold: float = 0.2
    alarm_threshold: float = 0.5

class Converter:
    name, version = "Fake", "2.0.0"
    arguments_schema = {"operation": Definition(Kind.INTEGER, 10, "process code"), "strict": Definition(Kind.BOOLEAN)}
    def on_load(self, context): self.loaded = True
    def on_unload(self): pass
    def validate(self, source, context): return Validation(detected_serial_number="SN7")
    def convert(self, source, context):
        print("a stray print")
        if "STRAY" in os.environ:
            os.write(1, b"a stray write\\n")
        text = source.path.read_text()
        return Result(Status.SUCCESS, report=Model(id="x", sn=text, pn="P1", processCode=context.arguments.get("operation")))
'''

sys.modules["fake_client"] = fake_client = types.ModuleType("fake_client")
exec(compile(CLIENT, "fake_client", "exec"), vars(fake_client))


class Answers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "unit.log")
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("SN42")

    def answer(self, kind, arguments=None, **options):
        client = pywats_worker.Client(fake_client, fake_client)
        worker = pywats_worker.Worker(kind, client, **options)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            answer = worker.answer(self.path, arguments or {})
        self.said = said.getvalue()
        return answer

    def result(self, seen=None, **fields):
        """The answer to a converter that comes to this."""

        class Kind(fake_client.Converter):
            def validate(self, source, context):
                return seen or super().validate(source, context)

            def convert(self, source, context):
                return fake_client.Result(**fields)

        return self.answer(Kind)

    def test_a_report_is_given_as_plain_json_with_what_it_says_of_the_unit(self):
        answer = self.answer(fake_client.Converter, {"operation": "20"})
        self.assertEqual(answer["status"], "success")
        self.assertEqual(answer["report"], {"id": "x", "sn": "SN42", "pn": "P1", "processCode": 20})
        self.assertEqual((answer["serial"], answer["part"], answer["process"]), ("SN42", "P1", "20"))
        self.assertIn("a stray print", self.said)

    def test_a_converter_that_raises_or_leaves_is_a_failure_with_its_words_and_the_serial_it_had_found(self):
        for error in (ValueError("no header"), SystemExit(0), RecursionError("deep")):

            class Kind(fake_client.Converter):
                def convert(self, source, context):
                    raise error

            answer = self.answer(Kind)
            self.assertEqual((answer["status"], answer["serial"]), ("failed", "SN7"))
            self.assertIn(type(error).__name__, answer["error"])

    def test_every_status_comes_through_with_its_reason(self):
        Status = fake_client.Status
        self.assertEqual(self.result(status=Status.FAILED, error="bad line")["error"], "bad line")
        self.assertEqual(self.result(status=Status.SKIPPED, error="empty")["status"], "skipped")
        self.assertEqual(self.result(status=Status.REJECTED, error="not ours")["status"], "rejected")
        waiting = self.result(
            status=Status.SUSPENDED, suspend_reason="no limits yet", retry_after=datetime.timedelta(minutes=2)
        )
        self.assertEqual((waiting["status"], waiting["error"]), ("suspended", "no limits yet"))
        self.assertEqual(waiting["retry_after_s"], 120)

    def test_success_without_a_report_is_no_success(self):
        answer = self.result(status=fake_client.Status.SUCCESS)
        self.assertEqual((answer["status"], answer["report"]), ("failed", None))
        self.assertIn("without a report", answer["error"])

    # `passed` is the default of the client's reports: a result that nobody set looks like one that was.
    def test_a_report_that_passed_for_no_reason_is_told(self):
        success = fake_client.Status.SUCCESS
        root = {"name": "Tests", "status": "P", "steps": [{"name": "a", "status": "P"}]}
        for fields, told in (
            ({"result": "P", "root": root}, None),
            ({"result": "F", "root": {**root, "steps": []}}, None),
            ({"type": "R", "result": "P"}, None),
            ({"root": root}, None),
            ({"result": "Passed", "root": root}, "the result is 'Passed'"),
            ({"result": "P", "root": {"name": "Tests", "status": "P", "steps": []}}, "passed without a step"),
            ({"result": "P"}, "passed without a step"),
            ({"result": "P", "root": {**root, "steps": [{"name": "b", "status": "F"}]}}, "its step 'b' did not (F)"),
        ):
            answer = self.result(status=success, report={"sn": "1", **fields})
            self.assertEqual(answer["status"], "success")
            if told is None:
                self.assertEqual(answer["warnings"], [], fields)
            else:
                self.assertIn(told, answer["warnings"][0], fields)

    def test_success_with_an_error_is_no_success(self):
        answer = self.result(status=fake_client.Status.SUCCESS, report={"sn": "1"}, error="half of it is missing")
        self.assertEqual((answer["status"], answer["report"]), ("failed", None))
        self.assertIn("half of it is missing", answer["error"])

    def test_a_confidence_that_is_no_number_is_none(self):
        seen = fake_client.Validation(confidence=float("nan"))
        self.assertEqual(self.result(seen, status=None)["status"], "rejected")

    def test_a_report_that_is_no_json_is_a_failure(self):
        for report in (object(), {"value": float("nan")}, {"x": {1, 2}}):
            answer = self.result(status=fake_client.Status.SUCCESS, report=report)
            self.assertEqual((answer["status"], answer["report"]), ("failed", None), report)

    def test_several_reports_are_all_given(self):
        answer = self.result(status=fake_client.Status.SUCCESS, reports=[{"sn": "A"}, {"sn": "B"}])
        self.assertEqual(answer["reports"], [{"sn": "A"}, {"sn": "B"}])
        self.assertEqual((answer["report"], answer["serial"]), (None, "A"))

    def test_what_validate_refuses_is_not_converted(self):
        Seen = fake_client.Validation
        self.assertEqual(self.result(Seen(can_convert=False, message="no"), status=None)["status"], "rejected")
        self.assertEqual(self.result(Seen(confidence=0.1), status=None)["status"], "rejected")
        answer = self.result(Seen(ready=False, missing_dependencies=["limits.csv"]), status=None)
        self.assertEqual((answer["status"], answer["error"]), ("suspended", "waits for limits.csv"))
        doubtful = self.result(Seen(confidence=0.3), status=fake_client.Status.SUCCESS, report={"sn": "1"})
        self.assertEqual(doubtful["status"], "success")
        self.assertIn("confidence is only 0.3", doubtful["warnings"][0])

    def test_arguments_are_typed_checked_and_never_passed_over_in_silence(self):
        answer = self.answer(fake_client.Converter, {"operation": "ten"})
        self.assertEqual(answer["error"], "ValueError: argument operation: 'ten' is not a number")
        answer = self.answer(fake_client.Converter, {"operation": "99"})
        self.assertIn("Value must be <= 98", answer["error"])
        answer = self.answer(fake_client.Converter, {"operaton": "10"})
        self.assertEqual(answer["warnings"], ["the converter knows no argument 'operaton'"])

    def test_a_stable_id_follows_the_content(self):
        first = self.answer(fake_client.Converter, keep_ids=False)["report"]["id"]
        again = self.answer(fake_client.Converter, keep_ids=False)["report"]["id"]
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(" more")
        other = self.answer(fake_client.Converter, keep_ids=False)["report"]["id"]
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_files_that_belong_together_come_in_a_zip_file(self):
        class Kind(fake_client.Converter):
            def convert(self, source, context):
                values = (source.path.parent / source.path.stem / "values.txt").read_text()
                return fake_client.Result(fake_client.Status.SUCCESS, report={"sn": source.path.stem, "values": values})

        def pack(*names):
            with zipfile.ZipFile(self.path, "w") as packed:
                for name in names:
                    packed.writestr(name, "1 2 3")

        pack("DUT 7.txt", "DUT 7/values.txt")
        answer = self.answer(Kind, unpack=True)
        self.assertEqual(answer["report"], {"sn": "DUT 7", "values": "1 2 3"})
        pack("DUT 7.txt", "DUT 8.txt")
        self.assertIn("it has 2", self.answer(Kind, unpack=True)["error"])

    def test_no_object_of_the_class_serves_two_files(self):
        class Kind(fake_client.Converter):
            def convert(self, source, context):
                self.count = getattr(self, "count", 0) + 1
                return fake_client.Result(fake_client.Status.SUCCESS, report={"count": self.count})

        client = pywats_worker.Client(fake_client, fake_client)
        worker = pywats_worker.Worker(Kind, client)
        counts = [worker.answer(self.path, {})["report"]["count"] for _ in range(2)]
        self.assertEqual(counts, [1, 1])


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        package = os.path.join(self.folder, "pywats_client", "converters")
        os.makedirs(package)
        for path, text in (
            (os.path.join(self.folder, "pywats_client", "__init__.py"), ""),
            (os.path.join(package, "__init__.py"), ""),
            (os.path.join(package, "models.py"), CLIENT),
            (os.path.join(package, "context.py"), "from .models import ConverterContext\n"),
            (os.path.join(self.folder, "unit.log"), "SN42"),
        ):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def run_script(self, *words, stdin=b""):
        return subprocess.run(
            [sys.executable, "-B", os.path.join(FOLDER, "pywats_worker.py"), *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": self.folder, "STRAY": "1"},
            timeout=60,
        )

    def test_only_answers_reach_standard_output_whoever_writes_there(self):
        path = os.path.join(self.folder, "unit.log")
        lines = [{"id": 1, "input": path, "arguments": {"operation": "5"}}, {"id": 2, "input": path + ".gone"}]
        stdin = "\n".join([*map(json.dumps, lines), "nonsense", ""]).encode()
        done = self.run_script("pywats_client.converters.models:Converter", stdin=stdin)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([answer["id"] for answer in answers], [1, 2, None])
        self.assertEqual([answer["status"] for answer in answers], ["success", "failed", "failed"])
        self.assertEqual(done.stderr.count(b"a stray write"), 2)

    def test_one_file_can_be_converted_by_itself(self):
        done = self.run_script("pywats_client.converters.models:Converter", os.path.join(self.folder, "unit.log"))
        self.assertEqual(json.loads(done.stdout)["serial"], "SN42")

    def test_a_class_that_is_not_there_is_said_before_anything_is_asked(self):
        for word, said in (
            ("Converter", b"is not MODULE:CLASS"),
            ("no_such_module:X", b"cannot import no_such_module"),
            ("pywats_client.converters.models:Convertor", b"it has Converter"),
        ):
            done = self.run_script(word, stdin=b"{}\n")
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(said, done.stderr)

    def test_a_class_is_described_with_its_arguments(self):
        done = self.run_script("pywats_client.converters.models:Converter", "--describe")
        text = done.stdout.decode()
        self.assertIn("Fake, version 2.0.0", text)
        self.assertIn("argument operation: integer [10] process code", text)


if __name__ == "__main__":
    unittest.main()
