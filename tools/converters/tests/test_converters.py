"""A converter that reports half a file as a whole one lets bad units out of the plant. These tests cut, bend and empty
files the way stations and networks do, and ask for an answer that says so."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, FOLDER)

import annals_converter  # noqa: E402
import ict_csv  # noqa: E402
import ict_csv_v1  # noqa: E402
import jsonl_log  # noqa: E402
import junit_xml  # noqa: E402


def ict(rows=("R101;9.98;kOhm;9.9;10.1;PASS", "BT1;1.4;uA;;3.0;PASS"), verdict="PASS", total=True, decimal="."):
    lines = [
        "#ICT-REPORT;2.1",
        "Serial;K2510-00117",
        "Part;118-4402",
        "Revision;C",
        "Station;ICT-03",
        "Operator;m.keller",
        "Process;10",
        "Decimal;.",
        "Start;2025-03-03T00:14:22+01:00",
        "Name;Value;Unit;Low;High;Result",
        *rows,
        *([f"TOTAL;{len(rows)};{sum(row.endswith('FAIL') for row in rows)}"] if total else []),
        f"END;{len(rows)};{verdict};38.4",
        "",
    ]
    return "\r\n".join(lines).replace(".", decimal).encode()


JUNIT = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="acceptance" tests="4" time="1.5" timestamp="2025-03-03T08:14:22+01:00">
  <properties>
    <property name="serial" value="K2510-00117"/><property name="part" value="118-4402"/>
    <property name="station" value="FW-01"/><property name="process" value="65"/>
  </properties>
  <testsuite name="can">
    <testcase name="test_loopback" time="0.5"/>
    <testcase name="test_bus_off"><failure message="expected &lt;0&gt;">trace</failure></testcase>
    <testcase name="test_node_id"><skipped/></testcase>
  </testsuite>
  <testsuite name="rtc"><testcase name="test_drift"/></testsuite>
</testsuites>
"""


def log(*steps, result="PASS"):
    start = {
        "event": "start",
        "t": "2025-03-03T08:14:22.125+01:00",
        "serial": "K2510-00117",
        "part": "118-4402",
        "revision": "C",
        "station": "FCT-01",
        "operator": "m.keller",
        "process": "50",
        "firmware": "4.6.2",
        "sequence": "functional test",
    }
    count = sum(step["event"] in ("measure", "compare", "check") for step in steps)
    end = {"event": "end", "result": result, "steps": count, "seconds": 2.5}
    return "".join(json.dumps(event) + "\n" for event in (start, *steps, end)).encode()


MEASURE = {"event": "measure", "name": "Rail", "value": 5, "unit": "V", "low": 4.9, "high": 5.1, "pass": True, "seconds": 0.1}
STEPS = (
    {"event": "phase", "name": "Power-up"},
    MEASURE,
    {"event": "log", "text": "warm"},
    {"event": "phase", "name": "Identity"},
    {"event": "compare", "name": "Serial", "value": "a", "expected": "a", "pass": True, "seconds": 0.1},
    {"event": "check", "name": "Lamp", "pass": True, "seconds": 0.2},
)


def answer_to(converter, data, **arguments):
    return annals_converter.answer_to(converter.convert, annals_converter.Source(data, "file", arguments))


class EveryConverter(unittest.TestCase):
    whole = ((ict_csv, ict()), (ict_csv, ict(total=False, decimal=",")), (junit_xml, JUNIT), (jsonl_log, log(*STEPS)))

    def test_reports_the_unit_the_station_and_the_process(self):
        for converter, data in self.whole:
            answer = answer_to(converter, data, location="Hall 2")
            self.assertEqual(answer["error"], None)
            self.assertEqual(answer["status"], "success")
            self.assertEqual((answer["serial"], answer["part"]), ("K2510-00117", "118-4402"))
            report = answer["report"]
            self.assertEqual(report["sn"], "K2510-00117")
            self.assertEqual(report["machineName"], answer["station"])
            self.assertEqual(str(report["processCode"]), answer["process"])
            self.assertEqual(report["location"], "Hall 2")
            self.assertTrue(report["startUTC"].endswith("Z"))
            for field in "id type pn rev purpose result start root uut".split():
                self.assertIn(field, report)

    def test_gives_the_same_report_each_time_and_another_id_for_other_content(self):
        for converter, data in self.whole:
            first = answer_to(converter, data)["report"]
            self.assertEqual(first, answer_to(converter, data)["report"])
            other = answer_to(converter, data.replace(b"00117", b"00118"))["report"]
            self.assertNotEqual(first["id"], other["id"])

    def test_never_takes_a_cut_file_for_a_whole_one(self):
        for converter, data in self.whole:
            for end in range(len(data.rstrip()) - 1):
                answer = answer_to(converter, data[:end])
                self.assertIn(answer["status"], ("failed", "rejected"), data[:end])
                self.assertIsNone(answer["report"])
                self.assertTrue(answer["error"])
                self.assertNotIn("bug", answer["error"], data[:end])

    def test_keeps_the_serial_number_of_a_cut_file(self):
        for converter, data in ((ict_csv, ict()), (jsonl_log, log(*STEPS))):
            self.assertEqual(answer_to(converter, data[:-8])["serial"], "K2510-00117")

    def test_rejects_what_has_no_content(self):
        for converter, _ in self.whole:
            for data in (b"", b" \r\n", b"\0" * 512):
                self.assertEqual(answer_to(converter, data)["status"], "rejected")

    def test_says_where_text_is_not_utf_8(self):
        for converter, _ in self.whole:
            self.assertIn("byte 5", answer_to(converter, b"abcde\xff\n")["error"])


class Ict(unittest.TestCase):
    failing = ("R101;9.98;kOhm;9.9;10.1;PASS", "BT1;4.1;uA;;3.0;FAIL")

    def test_the_first_version_loses_the_last_failure_of_testers_without_total(self):
        data = ict(self.failing, "FAIL", total=False, decimal=",")
        self.assertEqual(answer_to(ict_csv_v1, data)["report"]["result"], "P")
        report = answer_to(ict_csv, data)["report"]
        self.assertEqual(report["result"], "F")
        self.assertEqual(report["uut"]["stepIdCausedUUTFailure"], 3)

    def test_both_versions_agree_where_there_is_a_total(self):
        data = ict(self.failing, "FAIL")
        self.assertEqual(answer_to(ict_csv_v1, data), answer_to(ict_csv, data))

    def test_reads_decimal_commas_like_decimal_points(self):
        points = answer_to(ict_csv, ict())["report"]
        commas = answer_to(ict_csv, ict(decimal=","))["report"]
        self.assertEqual(points["root"], commas["root"])
        self.assertEqual(points["root"]["steps"][0]["numericMeas"][0]["value"], 9.98)

    def test_tells_midnight_in_utc(self):
        self.assertEqual(answer_to(ict_csv, ict())["report"]["startUTC"], "2025-03-02T23:14:22Z")

    def test_warns_when_the_tester_and_the_limits_disagree(self):
        answer = answer_to(ict_csv, ict(("R101;12.0;kOhm;9.9;10.1;PASS",)))
        self.assertEqual(len(answer["warnings"]), 1)
        self.assertIn("line 11 (R101)", answer["warnings"][0])

    # A file that contradicts itself, or in which nothing was measured, used to pass.
    def test_nothing_measured_and_totals_that_differ_never_pass(self):
        answer = answer_to(ict_csv, ict(()))
        self.assertEqual(answer["report"]["result"], "E")
        self.assertEqual(answer["warnings"], ["no step of the test passed or failed: the result is an error"])
        for announced in (b"TOTAL;2;1", b"TOTAL;3;0", b"TOTAL;2"):
            answer = answer_to(ict_csv, ict().replace(b"TOTAL;2;0", announced))
            self.assertEqual((answer["status"], answer["report"]), ("failed", None))
            self.assertIn("TOTAL", answer["error"])

    # Two units in one file were reported under the first one's serial number.
    def test_a_header_of_two_units_is_refused(self):
        data = ict().replace(b"Part;", b"Serial;K2510-00118\r\nPart;")
        answer = answer_to(ict_csv, data)
        self.assertEqual(answer["error"], "the header names two values of Serial: 'K2510-00117' and 'K2510-00118'")

    def test_counts_what_end_announces(self):
        data = ict().replace(b"END;2", b"END;3")
        self.assertEqual(answer_to(ict_csv, data)["error"], "END announces 3 measurements, there are 2")


class Junit(unittest.TestCase):
    def test_keeps_suites_failures_and_skipped_cases(self):
        report = answer_to(junit_xml, JUNIT)["report"]
        can, rtc = report["root"]["steps"]
        self.assertEqual([step["status"] for step in can["steps"]], ["P", "F", "S"])
        self.assertEqual(can["steps"][1]["reportText"], "expected <0>")
        self.assertEqual((report["result"], can["status"], rtc["status"]), ("F", "F", "P"))

    def test_an_error_is_worse_than_a_failure(self):
        data = JUNIT.replace(b"<skipped/>", b"<error>boom</error>")
        self.assertEqual(answer_to(junit_xml, data)["report"]["result"], "E")

    def test_says_how_many_test_cases_are_whole(self):
        cut = JUNIT[: JUNIT.index(b"<skipped")]
        self.assertEqual(
            answer_to(junit_xml, cut)["error"], "the XML is cut short or malformed: 2 of 4 test cases are whole"
        )

    def test_skips_a_file_without_test_cases(self):
        empty = JUNIT[: JUNIT.index(b"  <testsuite ")] + b"</testsuites>"
        data = empty.replace(b'tests="4"', b'tests="0"')
        self.assertEqual(answer_to(junit_xml, data)["status"], "skipped")
        answer = answer_to(junit_xml, empty)
        self.assertEqual(answer["report"]["result"], "E")
        self.assertEqual(answer["warnings"], ["acceptance: 4 test cases are announced, there are 0"])

    def suite(self, inside, attributes=""):
        """A suite of its own, with its answer."""
        unit = '<property name="serial" value="SN1"/><property name="part" value="P"/><property name="process" value="7"/>'
        head = f'<testsuite name="fw" timestamp="2026-03-01T08:00:00Z" {attributes}><properties>{unit}</properties>'
        return answer_to(junit_xml, f"{head}{inside}</testsuite>".encode())

    # googletest, ctest and others say in attributes that a case did not run or failed; it used to pass.
    def test_a_case_passes_only_when_nothing_speaks_against_it(self):
        for case, status in (
            ('<testcase name="a" status="run" result="completed"/>', "P"),
            ('<testcase name="a" status="notrun" result="suppressed"/>', "S"),
            ('<testcase name="a" status="run" result="skipped"/>', "S"),
            ('<testcase name="a" status="disabled"/>', "S"),
            ('<testcase name="a" executed="False"/>', "S"),
            ('<testcase name="a" status="fail"/>', "F"),
            ('<testcase name="a" success="false"/>', "F"),
            ('<testcase name="a" status="Timed Out"/>', "T"),
            ('<testcase name="a" status="wobbly"/>', "E"),
            ('<testcase name="a" disabled="perhaps"/>', "E"),
            ('<testcase name="a"><warning/></testcase>', "E"),
            ('<testcase name="a"><Failure/></testcase>', "E"),
            ('<testcase name="a"><rerunFailure/></testcase>', "F"),
            ('<testcase name="a"><skipped/><failure/></testcase>', "F"),
            ('<testcase name="a"><system-err>noise</system-err></testcase>', "P"),
        ):
            # A case beside it passes, so that the unit's result is this case's doing.
            answer = self.suite(case + '<testcase name="b"/>')
            self.assertEqual(answer["report"]["root"]["steps"][0]["status"], status, case)
            self.assertEqual(answer["report"]["result"], "P" if status == "S" else status, case)
            self.assertEqual(bool(answer["warnings"]), status == "E", case)
            alone = self.suite(case)
            self.assertEqual(alone["report"]["result"] == "P", status == "P", case)

    # A case that passes when it is run again is a pass, and nobody should have to look for that.
    def test_a_flaky_case_passes_with_a_warning(self):
        answer = self.suite('<testcase name="a"><flakyError message="x"/></testcase>', 'tests="2" errors="1"')
        self.assertEqual(answer["report"]["result"], "P")
        self.assertEqual(answer["warnings"], ["a: passed only when it was run again"])

    # A fixture that breaks has no case of its own, and a case that is missing cannot say so.
    def test_a_suite_passes_only_when_it_has_what_it_announces(self):
        case = '<testcase name="a"/>'
        for inside, attributes, result in (
            (case, 'tests="1" failures="0" errors="0" skipped="0"', "P"),
            (case, 'tests="2"', "E"),
            (case, 'tests="1" failures="1"', "F"),
            (case, 'tests="1" errors="1"', "E"),
            (case, 'tests="1" skipped="1"', "E"),
            (case, 'tests="1" disabled="1"', "E"),
            (case, 'tests="many"', "E"),
            (case, 'status="failed"', "F"),
            (case + '<error message="set-up"/>', 'tests="1" errors="1"', "E"),
            (case + "<failure/>", "", "F"),
            (case + "<aborted/>", "", "E"),
            ('<error message="set-up"/>', 'tests="0" errors="1"', "E"),
            (case + "<group><testcase><failure/></testcase></group>", "", "E"),
            (case + '<testsuite name="n" tests="1"/>', "", "E"),
            (case + "<testsuite><error/></testsuite>", "", "E"),
        ):
            answer = self.suite(inside, attributes)
            self.assertEqual(answer["report"]["result"], result, (inside, attributes))
            self.assertEqual(bool(answer["warnings"]), result != "P", (inside, attributes))

    # The cases of the second unit were reported under the serial number of the first.
    def test_a_file_of_two_units_is_refused(self):
        other = '<properties><property name="serial" value="SN2"/></properties>'
        for inside in (f"<testsuite>{other}<testcase/></testsuite>", f"<testcase>{other}</testcase>"):
            answer = self.suite(inside)
            self.assertEqual((answer["status"], answer["serial"]), ("failed", "SN1"))
            self.assertEqual(answer["error"], "the file is of more than one unit: serial 'SN1' and 'SN2'")

    def test_refuses_entities_of_its_own(self):
        self.assertEqual(answer_to(junit_xml, b"<!DOCTYPE a><a/>")["status"], "rejected")


class Jsonl(unittest.TestCase):
    def test_groups_steps_by_phase(self):
        root = answer_to(jsonl_log, log(*STEPS))["report"]["root"]
        self.assertEqual([group["name"] for group in root["steps"]], ["Power-up", "Identity"])
        self.assertEqual([len(group["steps"]) for group in root["steps"]], [1, 2])

    def test_a_failed_step_fails_the_unit_whatever_the_verdict_says(self):
        answer = answer_to(jsonl_log, log({**MEASURE, "value": 6, "pass": False}))
        self.assertEqual(answer["report"]["result"], "F")
        self.assertEqual(answer["warnings"], ["'end' says PASS, the steps say otherwise"])

    # An event that the converter did not know, `abort` for one, was passed over and the unit passed.
    def test_an_event_that_is_not_understood_never_passes(self):
        answer = answer_to(jsonl_log, log(MEASURE, {"event": "abort"}))
        self.assertEqual(answer["report"]["result"], "E")
        self.assertIn("line 3: the event 'abort' is not understood", answer["warnings"])
        self.assertEqual(answer_to(jsonl_log, log())["report"]["result"], "E")

    def test_a_log_of_two_tests_is_refused(self):
        error = answer_to(jsonl_log, log(MEASURE) + log(MEASURE))["error"]
        self.assertEqual(error, "line 3: a second 'end': the log is of more than one test")

    def test_warns_when_a_verdict_and_its_limits_or_texts_disagree(self):
        compare = {"event": "compare", "name": "Serial", "value": "a", "expected": "b", "pass": True, "seconds": 0.1}
        answer = answer_to(jsonl_log, log({**MEASURE, "value": 9}, compare))
        self.assertEqual(
            answer["warnings"],
            [
                "line 2 (Rail): the log says PASS, the limits say otherwise",
                "line 3 (Serial): the log says PASS, the texts say otherwise",
            ],
        )

    def test_names_the_line_that_is_wrong(self):
        data = log(MEASURE, {**MEASURE, "value": "5"})
        self.assertEqual(answer_to(jsonl_log, data)["error"], "line 3: 'value' is missing or is not a number")
        data = log(MEASURE).replace(b'"value": 5', b'"value": NaN')
        self.assertEqual(answer_to(jsonl_log, data)["error"], "line 2 is not a JSON object with an 'event'")


class Protocol(unittest.TestCase):
    def run_script(self, *words, stdin=b"", **variables):
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(FOLDER, "ict_csv.py"), *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **variables},
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "unit.csv")
        with open(self.path, "wb") as file:
            file.write(ict())

    def test_one_shot_takes_arguments_from_the_environment_and_the_command_line(self):
        variables = {"ANNALS_ARGUMENTS": '{"operation":"20","location":"Hall 2"}'}
        (answer,) = self.run_script(self.path, "--argument", "operation=30", **variables)
        self.assertEqual((answer["process"], answer["report"]["location"]), ("30", "Hall 2"))

    def test_a_worker_answers_every_line_even_those_it_cannot_read(self):
        lines = [
            {"id": 1, "input": self.path, "name": "a.csv", "arguments": {"operation": "20"}, "entry": 7},
            {"id": 2, "input": self.path + ".gone", "name": "b.csv", "arguments": {}, "entry": 8},
        ]
        stdin = "\n".join([*map(json.dumps, lines), "nonsense", "[]", ""]).encode()
        answers = self.run_script("--worker", stdin=stdin)
        self.assertEqual([answer["id"] for answer in answers], [1, 2, None, None])
        self.assertEqual([answer["status"] for answer in answers], ["success", "failed", "failed", "failed"])

    # A converter that forgets its `return` answered success, and the source was cleared away.
    def test_success_without_a_report_is_no_success(self):
        for given in (None, [], {}, [{}], "P", [None]):
            with contextlib.redirect_stderr(io.StringIO()):
                answer = annals_converter.answer_to(lambda source, answer: given, annals_converter.Source(b"x"))
            self.assertEqual((answer["status"], answer["report"]), ("failed", None))
            self.assertNotIn("reports", answer)

    def test_a_stray_print_or_a_bug_does_not_break_the_protocol(self):
        def chatty(source, answer):
            print("hello")
            return {"value": float("nan")}

        with contextlib.redirect_stderr(io.StringIO()) as said:
            answer = annals_converter.answer_to(chatty, annals_converter.Source(b"x"))
        self.assertTrue(said.getvalue().startswith("hello"))
        self.assertEqual((answer["status"], answer["report"]), ("failed", None))
        self.assertIn("the converter has a bug: ValueError", answer["error"])


if __name__ == "__main__":
    unittest.main()
