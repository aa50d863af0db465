"""An STDF file has a lot of parts in it, and limits that are given once. A file the tester was still writing has fewer parts
than were tested, and must not be taken for the lot."""

import os
import struct
import sys
import unittest

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, FOLDER)

import annals_converter  # noqa: E402
import stdf  # noqa: E402


class Writer:
    """Makes records in a byte order."""

    def __init__(self, order="<"):
        self.order = order

    def record(self, kind, form, *values):
        packed = [text(value) if isinstance(value, str) else value for value in values]
        body = b""
        for letter, value in zip(form, packed):
            body += value if letter == "n" else struct.pack(self.order + letter, value)
        return struct.pack(self.order + "HBB", len(body), *kind) + body

    def lot(self, *parts, end=True, wafer="", last=b""):
        far = self.record(stdf.FAR, "BB", 2 if self.order == "<" else 1, 4)
        mir = self.record(
            stdf.MIR, "IIBBBBHBnnnnnnnn", 1, 1_000_000_000, 1, 0, 0, 0, 0, 0, "LOT7", "PART1", "TST1", "T", "job", "B", "", "kim"
        )
        wir = self.record(stdf.WIR, "BBIn", 1, 0, 0, wafer) if wafer else b""
        wrr = self.record(stdf.WRR, "BBII", 1, 0, 0, len(parts)) if wafer else b""
        mrr = self.record(stdf.MRR, "I", 2) if end else b""
        return far + mir + wir + b"".join(parts) + wrr + last + mrr

    def part(self, name, *tests, failed=False, flags=0, announced=None, bins=(1, 1)):
        pir = self.record(stdf.PIR, "BB", 1, 0)
        flags |= 8 if failed else 0
        count = len(tests) if announced is None else announced
        prr = self.record(stdf.PRR, "BBBHHHhhIn", 1, 0, flags, count, *bins, 0, 0, 1500, name)
        return pir + b"".join(tests) + prr

    def test(self, number, value, name="", limits=None, failed=False, flags=0, parameters=0):
        flags |= 0x80 if failed else 0
        if limits is None:
            return self.record(stdf.PTR, "IBBBBfn", number, 1, 0, flags, parameters, value, name)
        low, high = limits
        options = (0x40 if low is None else 0) | (0x80 if high is None else 0)
        return self.record(
            stdf.PTR, "IBBBBfnnBbbbffn", number, 1, 0, flags, parameters, value, name, "", options, 0, 0, 0, low or 0, high or 0, "V"
        )


def text(value):
    return bytes([len(value)]) + value.encode("latin-1")


def answer_to(data, **arguments):
    arguments = {"operation": "30", **arguments}
    return annals_converter.answer_to(stdf.convert, annals_converter.Source(data, "lot.stdf", arguments))


class Stdf(unittest.TestCase):
    def test_every_part_is_a_report_with_the_limits_that_were_given_once(self):
        for order in "<>":
            writer = Writer(order)
            data = writer.lot(
                writer.part("1", writer.test(7, 1.5, "Vdd", limits=(1.0, 2.0))),
                writer.part("2", writer.test(7, 2.5, failed=True), failed=True),
                wafer="W3",
            )
            answer = answer_to(data)
            self.assertEqual(answer["error"], None)
            first, second = answer["reports"]
            self.assertEqual((first["sn"], first["pn"], first["result"]), ("LOT7.W3.1", "PART1", "P"))
            self.assertEqual((second["sn"], second["result"]), ("LOT7.W3.2", "F"))
            self.assertNotEqual(first["id"], second["id"])
            self.assertEqual(first["startUTC"], "2001-09-09T01:46:40Z")
            measured = second["root"]["steps"][0]["numericMeas"][0]
            self.assertEqual((measured["value"], measured["lowLimit"], measured["highLimit"]), (2.5, 1.0, 2.0))
            self.assertEqual((answer["serial"], answer["station"]), ("LOT7", "TST1"))

    def test_values_that_are_none_are_no_measurements(self):
        writer = Writer()
        tests = (
            writer.test(1, float("nan"), "a", limits=(None, None)),
            writer.test(2, 1.0, "b", flags=stdf.NOT_EXECUTED),
            writer.test(3, 1.0, "c", limits=(None, 2.0)),
        )
        answer = answer_to(writer.lot(writer.part("1", *tests)))
        steps = answer["reports"][0]["root"]["steps"]
        self.assertEqual([step["status"] for step in steps], ["P", "S", "P"])
        self.assertEqual([("numericMeas" in step) for step in steps], [False, False, True])
        self.assertEqual(steps[2]["numericMeas"][0]["compOp"], "LE")

    def test_a_file_that_is_cut_anywhere_is_refused(self):
        writer = Writer()
        test = writer.test(7, 1.5, "Vdd", limits=(1.0, 2.0))
        data = writer.lot(writer.part("1", test), writer.part("2", test))
        self.assertEqual(answer_to(data)["status"], "success")
        for length in range(6, len(data)):
            answer = answer_to(data[:length])
            self.assertEqual((answer["status"], answer["report"]), ("failed", None), length)
            self.assertIn("cut short", answer["error"])

    def test_of_a_long_lot_the_failed_parts_are_reported_and_the_others_counted(self):
        writer = Writer()
        test = writer.test(1, 1.0)
        parts = [writer.part(str(number), test, failed=number % 100 == 0) for number in range(1, 302)]
        answer = answer_to(writer.lot(*parts))
        self.assertEqual(answer["error"], "301 parts are more than 200; see the argument parts")
        answer = answer_to(writer.lot(*parts), parts="failed")
        self.assertEqual([report["sn"] for report in answer["reports"]], ["LOT7.100", "LOT7.200", "LOT7.300"])
        self.assertEqual(answer["warnings"], ["298 of 301 parts passed and are not reported"])
        self.assertEqual(answer_to(writer.lot(*parts[:9]), parts="failed")["status"], "skipped")

    # A part without a verdict, broken off, or with tests missing was reported as passed.
    def test_a_part_passes_only_when_the_tester_says_so_and_nothing_speaks_against_it(self):
        writer = Writer()
        good = writer.test(1, 5.0, "good", limits=(0.0, 10.0))
        scan = writer.record(stdf.STR, "BIBBHB", 0, 9, 1, 0, 1, 0x80)
        for what, part, result in (
            ("passed", writer.part("1", good), "P"),
            ("not judged", writer.part("1", good, flags=0x10), "E"),
            ("not judged, with the bit that says failed", writer.part("1", good, flags=0x18), "E"),
            ("broken off", writer.part("1", good, flags=0x04), "T"),
            ("a flag without a meaning", writer.part("1", good, flags=0x20), "E"),
            ("failed", writer.part("1", good, failed=True), "F"),
            ("tests missing", writer.part("1", good, announced=7), "E"),
            ("no test run", writer.part("1"), "E"),
            ("a test broken off", writer.part("1", good, writer.test(2, 5.0, flags=0x20)), "T"),
            ("a test failed", writer.part("1", good, writer.test(2, 5.0, failed=True)), "F"),
            ("a scan test failed", writer.part("1", good, scan), "F"),
            ("a test without a verdict beside one with", writer.part("1", good, writer.test(2, 5.0, flags=0x40)), "P"),
            ("no test with a verdict", writer.part("1", writer.test(2, 5.0, flags=0x40)), "E"),
            ("no test executed", writer.part("1", writer.test(2, 5.0, flags=0x10)), "E"),
            ("an alarm", writer.part("1", writer.test(2, 5.0, flags=0x01)), "E"),
            ("unreliable", writer.part("1", writer.test(2, 5.0, flags=0x04)), "E"),
            ("a timeout", writer.part("1", writer.test(2, 5.0, flags=0x08)), "E"),
            ("above its limit", writer.part("1", writer.test(2, 5.0, parameters=0x08)), "E"),
            ("within other limits", writer.part("1", writer.test(2, 5.0, parameters=0x28)), "P"),
            ("no value", writer.part("1", writer.test(2, float("nan"), "v", limits=(0.0, 1.0))), "E"),
        ):
            answer = answer_to(writer.lot(part))
            self.assertEqual(answer["error"], None, what)
            report = answer["report"] or answer["reports"][0]
            self.assertEqual((report["result"], report["root"]["status"]), (result, result), what)
            if result in "ET":
                self.assertTrue(answer["warnings"], what)

    # Testers that log every tenth part leave the others without tests; their verdict is all there is.
    def test_a_part_without_any_of_its_tests_passes_by_the_testers_word_and_says_so(self):
        writer = Writer()
        answer = answer_to(writer.lot(writer.part("1", announced=72), writer.part("2", announced=72)))
        self.assertEqual([report["result"] for report in answer["reports"]], ["P", "P"])
        self.assertEqual(
            answer["warnings"],
            ["LOT7.1 and 1 more: passed by the tester's word alone: none of its tests is in the file"],
        )

    # A bin of parts that failed, with a part in it that passed, was believed in its better half.
    def test_a_part_in_a_bin_of_failed_parts_does_not_pass(self):
        writer = Writer()
        for kind, bins in ((stdf.HBR, (5, 1)), (stdf.SBR, (1, 5))):
            part = writer.part("1", writer.test(1, 1.0), bins=bins)
            for verdict, result in ((b"F", "E"), (b"P", "P"), (b" ", "P")):
                last = writer.record(kind, "BBHIcn", 255, 255, 5, 1, verdict, "bin")
                self.assertEqual(answer_to(writer.lot(part, last=last))["reports"][0]["result"], result)

    # Where a network drops a block, zeros stand for records, or records are gone without a trace.
    def test_a_file_with_a_hole_is_refused(self):
        writer = Writer()
        test = writer.test(1, 1.0)
        part = writer.part("1", test)
        pcr = writer.record(stdf.PCR, "BBII", 255, 0, 2, 0)
        wrr = writer.record(stdf.WRR, "BBII", 1, 0, 0, 2)
        for what, data, error in (
            ("zeros", writer.lot(part, bytes(4096)), "has the kind 0.0"),
            ("a strange record", writer.lot(part, writer.record((15, 77), "I", 1)), "has the kind 15.77"),
            ("a part's end is missing", writer.lot(part[: -len(part) // 2], part), ""),
            ("no PRR between two parts", writer.lot(writer.record(stdf.PIR, "BB", 1, 0), part), "a PRR is missing"),
            ("a part is missing from the lot", writer.lot(part, last=pcr), "the PCR counts 2 parts, there are 1"),
            ("two lots", writer.lot(part) + writer.lot(part), "holds more than one lot"),
            ("a test of nobody", writer.lot(test, part), "not on the tester"),
        ):
            answer = answer_to(data)
            self.assertEqual((answer["status"], answer["report"]), ("failed", None), what)
            self.assertIn(error, answer["error"], what)
        wafer = writer.lot(part, wafer="W")
        wrong = wafer.replace(writer.record(stdf.WRR, "BBII", 1, 0, 0, 1), wrr)
        self.assertIn("counts 2 parts of the wafer, there are 1", answer_to(wrong)["error"])

    # The same part tested twice has two verdicts; which one counts is told by a flag of the second.
    def test_a_retest_is_marked_and_a_serial_that_comes_twice_without_it_is_told(self):
        writer = Writer()
        test = writer.test(1, 1.0)
        first = writer.part("1", test, failed=True)
        again = answer_to(writer.lot(first, writer.part("1", test, flags=0x01)))
        self.assertEqual([report["result"] for report in again["reports"]], ["F", "P"])
        self.assertEqual(again["warnings"], [])
        marked = [any(info["description"] == "Retest" for info in report["miscInfos"]) for report in again["reports"]]
        self.assertEqual(marked, [False, True])
        twice = answer_to(writer.lot(first, writer.part("1", test)))
        self.assertIn("more than one part has this serial", twice["warnings"][0])

    def test_what_is_no_stdf_is_not_taken(self):
        self.assertEqual(answer_to(b"")["status"], "rejected")
        self.assertEqual(answer_to(b"\x02\x00\x00\x0a\x02\x03")["status"], "rejected")
        self.assertEqual(answer_to(Writer().lot())["status"], "skipped")


if __name__ == "__main__":
    unittest.main()
