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

    def lot(self, *parts, end=True, wafer=""):
        far = self.record(stdf.FAR, "BB", 2 if self.order == "<" else 1, 4)
        mir = self.record(
            stdf.MIR, "IIBBBBHBnnnnnnnn", 1, 1_000_000_000, 1, 0, 0, 0, 0, 0, "LOT7", "PART1", "TST1", "T", "job", "B", "", "kim"
        )
        wir = self.record(stdf.WIR, "BBIn", 1, 0, 0, wafer) if wafer else b""
        mrr = self.record(stdf.MRR, "I", 2) if end else b""
        return far + mir + wir + b"".join(parts) + mrr

    def part(self, name, *tests, failed=False):
        pir = self.record(stdf.PIR, "BB", 1, 0)
        prr = self.record(stdf.PRR, "BBBHHHhhIn", 1, 0, 8 if failed else 0, len(tests), 1, 1, 0, 0, 1500, name)
        return pir + b"".join(tests) + prr

    def test(self, number, value, name="", limits=None, failed=False, flags=0):
        flags |= 0x80 if failed else 0
        if limits is None:
            return self.record(stdf.PTR, "IBBBBfn", number, 1, 0, flags, 0, value, name)
        low, high = limits
        options = (0x40 if low is None else 0) | (0x80 if high is None else 0)
        return self.record(
            stdf.PTR, "IBBBBfnnBbbbffn", number, 1, 0, flags, 0, value, name, "", options, 0, 0, 0, low or 0, high or 0, "V"
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
        data = writer.lot(writer.part("1", writer.test(7, 1.5, "Vdd", limits=(1.0, 2.0))), writer.part("2"))
        self.assertEqual(answer_to(data)["status"], "success")
        for length in range(6, len(data)):
            answer = answer_to(data[:length])
            self.assertEqual((answer["status"], answer["report"]), ("failed", None), length)
            self.assertIn("cut short", answer["error"])

    def test_of_a_long_lot_the_failed_parts_are_reported_and_the_others_counted(self):
        writer = Writer()
        parts = [writer.part(str(number), failed=number % 100 == 0) for number in range(1, 302)]
        answer = answer_to(writer.lot(*parts))
        self.assertEqual(answer["error"], "301 parts are more than 200; see the argument parts")
        answer = answer_to(writer.lot(*parts), parts="failed")
        self.assertEqual([report["sn"] for report in answer["reports"]], ["LOT7.100", "LOT7.200", "LOT7.300"])
        self.assertEqual(answer["warnings"], ["298 of 301 parts passed and are not reported"])
        self.assertEqual(answer_to(writer.lot(*parts[:9]), parts="failed")["status"], "skipped")

    def test_what_is_no_stdf_is_not_taken(self):
        self.assertEqual(answer_to(b"")["status"], "rejected")
        self.assertEqual(answer_to(b"\x02\x00\x00\x0a\x02\x03")["status"], "rejected")
        self.assertEqual(answer_to(Writer().lot())["status"], "skipped")


if __name__ == "__main__":
    unittest.main()
