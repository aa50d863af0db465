#!/usr/bin/env python3
"""STDF V4 of a semiconductor tester -> a WSJF report for each part. Version 2.0.0.

A unit's serial is LOT.PART, or LOT.WAFER.PART. The process code comes from the argument `operation`. With the argument
`parts` = `failed` only parts that did not pass are reported: the host takes 200 reports of one source. A file without its
last record (MRR) is refused: the tester was still writing it.

A part passes when its PRR says so, its bins do not say otherwise, and the tests that are in the file agree: at least one
passed, none failed, broke off or is in doubt, and none of those that PRR counts is missing. A part without any of its
tests, as where the tester logs only every tenth part, passes by the word of its PRR, with a warning. What nobody judged is
an error (E), what broke off is terminated (T).
"""

import collections
import datetime
import math
import struct

from annals_converter import Failed, Rejected, Skipped, run
import wsjf

FAR, ATR, VUR = (0, 10), (0, 20), (0, 30)
MIR, MRR, PCR, HBR, SBR = (1, 10), (1, 20), (1, 30), (1, 40), (1, 50)
WIR, WRR, PIR, PRR = (2, 10), (2, 20), (5, 10), (5, 20)
PTR, MPR, FTR, STR = (15, 10), (15, 15), (15, 20), (15, 30)
# Every other record of version 4 and of its revision of 2007, by group.
OTHERS = {1: (60, 62, 63, 70, 80, 90, 91, 92, 93, 94), 2: (30,), 10: (30,), 20: (10, 20), 50: (10, 30)}
KNOWN = {FAR, ATR, VUR, MIR, MRR, PCR, HBR, SBR, WIR, WRR, PIR, PRR, PTR, MPR, FTR, STR}
KNOWN |= {(group, number) for group, numbers in OTHERS.items() for number in numbers}
# From here on the groups are left to the makers of testers.
MAKERS_GROUP = 180

REPORTS_MAX = 200
BYTE_ORDERS = {1: ">", 2: "<"}
NO_COUNT = 0xFFFFFFFF

# Bits of TEST_FLG, of OPT_FLAG and of PART_FLG.
NO_VALUE, NOT_EXECUTED, ABORTED, NO_VERDICT, FAILED = 0x02, 0x10, 0x20, 0x40, 0x80
LOW_AS_BEFORE, HIGH_AS_BEFORE, NO_LOW, NO_HIGH = 0x10, 0x20, 0x40, 0x80
PART_AGAIN, PART_PLACE_AGAIN, PART_ABNORMAL, PART_FAILED, PART_NO_VERDICT = 0x01, 0x02, 0x04, 0x08, 0x10
PART_UNKNOWN = 0xE0
# What speaks against a test that is said to have passed, in TEST_FLG and in PARM_FLG.
DOUBTS = {0x01: "an alarm", 0x04: "an unreliable result", 0x08: "a timeout"}
PARAMETER_DOUBTS = {
    0x01: "a scale error",
    0x02: "a drift error",
    0x04: "an oscillation",
    0x08: "a value above the limit",
    0x10: "a value below the limit",
}
PASSED_ALTERNATE_LIMITS = 0x20


class Record:
    """Reads the fields of one record in turn. Fields at the end may be missing, and then have no value."""

    def __init__(self, data, order, where):
        self.data, self.order, self.where, self.at = data, order, where, 0

    def number(self, kind, missing=None):
        kind = self.order + kind
        size = struct.calcsize(kind)
        if self.at + size > len(self.data):
            self.at = len(self.data)
            if missing is None:
                raise Failed(f"{self.where} is too short")
            return missing
        (value,) = struct.unpack_from(kind, self.data, self.at)
        self.at += size
        return value

    def text(self):
        size = self.number("B", 0)
        if self.at + size > len(self.data):
            raise Failed(f"{self.where} has a text that is longer than the record")
        text = self.data[self.at : self.at + size]
        self.at += size
        return text.decode("latin-1").strip()

    def skip(self, size):
        self.at += size
        return self


def convert(source, answer):
    answer.process = str(wsjf.process_code(source.arguments, ""))
    if source.arguments.get("parts", "all") not in ("all", "failed"):
        raise Failed(f"argument parts: '{source.arguments['parts']}' is neither all nor failed")
    lot = Lot(source, answer)
    end = None
    for kind, record in records(source.data):
        if end == MRR:
            raise Failed(f"{record.where} comes after the end (MRR): the file holds more than one lot, or is damaged")
        end = kind
        lot.take(kind, record)
    if end != MRR:
        raise Failed("the file is cut short: it does not end with an MRR")
    lot.finish()
    if not lot.count:
        raise Skipped("there is no part in it")
    if not lot.reports:
        raise Skipped(f"none of {lot.count} parts failed")
    if len(lot.reports) > REPORTS_MAX:
        raise Failed(f"{len(lot.reports)} parts are more than {REPORTS_MAX}; see the argument parts")
    return lot.reports


def records(data):
    """Every record with its kind."""
    if len(data) < 6 or data[2:4] != bytes(FAR):
        raise Rejected("not an STDF file: it does not begin with a FAR")
    cpu, version = data[4], data[5]
    if version != 4 or cpu not in BYTE_ORDERS:
        raise Rejected(f"STDF version {version} of CPU type {cpu} is not read")
    order, at = BYTE_ORDERS[cpu], 0
    while at < len(data):
        where = f"the record at byte {at}"
        if at + 4 > len(data):
            raise Failed(f"the file is cut short: {where} breaks off")
        size, group, number = struct.unpack_from(order + "HBB", data, at)
        if at + 4 + size > len(data):
            raise Failed(f"the file is cut short: {where} breaks off")
        if (group, number) == FAR and at:
            raise Failed(f"{where} is a second FAR: the file holds more than one lot, or is damaged")
        if (group, number) not in KNOWN and group < MAKERS_GROUP:
            raise Failed(f"{where} has the kind {group}.{number}, which no STDF V4 file has: the file is damaged")
        yield (group, number), Record(data[at + 4 : at + 4 + size], order, where)
        at += 4 + size


def failing_bins(data):
    """The hard and the soft bins that are said to hold parts that failed, as `(kind, number)`."""
    bins = set()
    try:
        for kind, record in records(data):
            if kind in (HBR, SBR):
                number = record.skip(2).number("H")
                if record.skip(4).number("c", b" ") == b"F":
                    bins.add((kind, number))
    except (Failed, Rejected):
        pass  # whoever reads the whole file says where it breaks off
    return bins


class Lot:
    """What was read so far: the parts on the tester, the limits of each test, the reports."""

    def __init__(self, source, answer):
        self.source, self.answer = source, answer
        self.reports, self.open, self.tests = [], {}, {}
        self.count = self.passed_over = self.aborted = 0
        self.only_failed = source.arguments.get("parts") == "failed"
        self.lot = self.revision = self.operator = self.job = ""
        self.start = None
        self.failing_bins = failing_bins(source.data)
        self.wafers, self.open_wafers, self.parts_of_head = {}, {}, collections.Counter()
        self.part_counts, self.serials = {}, set()
        self.notes = {}

    def note(self, what, part):
        """Gathers one warning for all the parts it is about."""
        self.notes.setdefault(what, []).append(part)

    def take(self, kind, record):
        if kind[0] >= MAKERS_GROUP:
            self.note(f"records of the kind {kind[0]}.{kind[1]}, which the tester's maker defined, are passed over", "")
        elif kind == MIR:
            self.take_header(record)
        elif kind == WIR:
            head, group = site(record)
            self.wafers[head] = record.skip(4).text()
            self.open_wafers[head, group] = self.parts_of_head[head]
        elif kind == WRR:
            self.take_wafer_end(record)
        elif kind == PCR:
            place, parts = site(record), record.number("I")
            aborts = record.skip(4).number("I", NO_COUNT)
            self.part_counts[place] = (parts, 0 if aborts == NO_COUNT else aborts)
        elif kind == PIR:
            place = site(record)
            if place in self.open:
                raise Failed(f"{record.where} begins a part where another has not ended: a PRR is missing")
            self.open[place] = []
        elif kind in (PTR, FTR, MPR, STR):
            self.take_test(kind, record)
        elif kind == PRR:
            self.take_part(record)

    def take_header(self, record):
        if self.start is not None:
            raise Failed(f"{record.where} is a second MIR: the file holds more than one lot, or is damaged")
        record.skip(4)
        started = datetime.datetime.fromtimestamp(record.number("I"), datetime.timezone.utc)
        self.start = wsjf.times(started.strftime("%Y-%m-%dT%H:%M:%SZ"), "START_T", self.answer, self.source.arguments)
        record.skip(7)
        self.lot = record.text()
        self.answer.part = record.text()
        self.answer.station = record.text()
        record.text()
        self.job, self.revision = record.text(), record.text()
        record.text()
        self.operator = record.text()
        # Found by its lot until, and unless, it is a lot of one.
        self.answer.serial = self.lot

    def take_wafer_end(self, record):
        head, group = site(record)
        before = self.open_wafers.pop((head, group), None)
        parts = record.skip(4).number("I", NO_COUNT)
        if before is not None and parts != NO_COUNT and parts > self.parts_of_head[head] - before:
            found = self.parts_of_head[head] - before
            raise Failed(f"records are missing: {record.where} (WRR) counts {parts} parts of the wafer, there are {found}")
        if not any(key[0] == head for key in self.open_wafers):
            self.wafers.pop(head, None)

    def take_test(self, kind, record):
        goes_on = kind == STR and record.number("B")
        number = record.number("I")
        steps = self.open.get(site(record))
        if steps is None:
            raise Failed(f"{record.where} is a test of a part that is not on the tester")
        if kind == STR:
            record.skip(2)
        step = self.step(kind, number, record)
        # The results of a scan test may take several records: all but the last say that it goes on.
        if not goes_on:
            steps.append(step)

    def step(self, kind, number, record):
        flags = record.number("B")
        parameters = record.number("B", 0) if kind in (PTR, MPR) else 0
        status, why = verdict(flags, parameters)
        if kind != PTR:
            return wsjf.check(f"Test {number}", status, why)
        value = record.number("f", math.nan)
        name = record.text() or self.tests.get(number, {}).get("name") or f"Test {number}"
        record.text()
        low, high, unit = self.limits(number, name, record)
        if status == "S" or flags & NO_VALUE or not math.isfinite(value):
            if status == "P" and not flags & NO_VALUE and (low is not None or high is not None):
                status, why = "E", f"passed in spite of the value {value}"
            return wsjf.check(name, status, why or "no value")
        value = single(value)
        alternate = parameters & PASSED_ALTERNATE_LIMITS
        if status == "P" and not alternate and ((low is not None and value < low) or (high is not None and value > high)):
            self.note("the tester passed a value outside of its limits", name)
        return wsjf.measurement(name, value, unit, low, high, status, text=why)

    def limits(self, number, name, record):
        """Limits and unit are given with a test's first result, and hold for those after it."""
        first = self.tests.setdefault(number, {"name": name, "low": None, "high": None, "unit": ""})
        options = record.number("B", LOW_AS_BEFORE | HIGH_AS_BEFORE)
        record.skip(3)
        low, high = record.number("f", math.nan), record.number("f", math.nan)
        unit = record.text() or first["unit"]
        low = first["low"] if options & LOW_AS_BEFORE else limit(low, options & NO_LOW)
        high = first["high"] if options & HIGH_AS_BEFORE else limit(high, options & NO_HIGH)
        first.update(low=low, high=high, unit=unit)
        return low, high, unit

    def take_part(self, record):
        place = site(record)
        steps = self.open.pop(place, None)
        if steps is None:
            raise Failed(f"{record.where} ends a part that was not on the tester")
        if self.start is None:
            raise Failed("there is no MIR before the first part")
        flags, announced = record.number("B"), record.number("H")
        bins = record.number("H"), record.number("H")
        record.skip(4)
        seconds = record.number("I", 0) / 1000
        self.count += 1
        self.parts_of_head[place[0]] += 1
        self.aborted += bool(flags & PART_ABNORMAL)
        part = record.text() or str(self.count)
        wafer = self.wafers.get(place[0], "")
        serial = ".".join(word for word in (self.lot, wafer, part) if word)
        again = flags & (PART_AGAIN | PART_PLACE_AGAIN)
        if serial in self.serials and not again:
            self.note("more than one part has this serial, and none is marked as a retest", serial)
        self.serials.add(serial)

        root = wsjf.sequence(self.job or "Tests", steps or [self.only_verdict(flags, announced)], seconds)
        result = self.result(flags, announced, len(steps), bins, root["status"], serial)
        if self.only_failed and result == "P":
            self.passed_over += 1
            return
        root["status"] = result
        self.answer.serial = serial
        report = wsjf.report(
            self.source,
            self.answer,
            root,
            self.revision,
            self.start,
            int(self.answer.process),
            uut={"execTime": seconds, "user": self.operator},
            misc={
                "Hard bin": str(bins[0]),
                "Soft bin": str(bins[1]),
                "Site": f"{place[0]}.{place[1]}",
                "Retest": "in place of an earlier result" if again else None,
            },
            index=self.count - 1,
        )
        self.reports.append(report)
        if len(self.reports) > 1:
            self.answer.serial = self.lot

    def only_verdict(self, flags, announced):
        """The one step of a part whose tests are not in the file."""
        passed = announced and not flags & (PART_UNKNOWN | PART_NO_VERDICT | PART_ABNORMAL | PART_FAILED)
        status = "P" if passed else "F" if flags & PART_FAILED else "S"
        return wsjf.check("Verdict of the tester", status, f"{announced} tests were run, none is in the file")

    def result(self, flags, announced, found, bins, tests, serial):
        """How the part ended, where `tests` is how its tests did, taken together."""
        if flags & PART_UNKNOWN:
            self.note(f"PART_FLG {flags:#04x} has bits without a meaning", serial)
            return "E"
        if flags & PART_NO_VERDICT:
            self.note("the tester gave no verdict", serial)
            return "T" if flags & PART_ABNORMAL else "E"
        if flags & PART_FAILED:
            return "F"
        if flags & PART_ABNORMAL:
            self.note("the test ended abnormally", serial)
            return "T"
        if not found and not announced:
            self.note("no test was run", serial)
            return "E"
        if 0 < found < announced:
            self.note(f"{found} of {announced} tests are in the file", serial)
            return tests if tests in "EFT" else "E"
        if not found:
            self.note("passed by the tester's word alone: none of its tests is in the file", serial)
        if tests != "P":
            self.note("the tester passed the part, its tests say otherwise", serial)
            return tests if tests in "EFT" else "E"
        if (HBR, bins[0]) in self.failing_bins or (SBR, bins[1]) in self.failing_bins:
            self.note(f"the tester passed the part, its bins {bins[0]} and {bins[1]} say otherwise", serial)
            return "E"
        return "P"

    def finish(self):
        """What can only be told when the whole file was read."""
        if self.open:
            raise Failed(f"the file is cut short: {len(self.open)} parts have no PRR")
        whole = [counts for (head, _), counts in self.part_counts.items() if head == 255]
        counts = whole[:1] or list(self.part_counts.values())
        parts, aborts = (sum(pair[at] for pair in counts) for at in (0, 1))
        if parts > self.count and all(pair[0] != NO_COUNT for pair in counts):
            raise Failed(f"records are missing: the PCR counts {parts} parts, there are {self.count}")
        if aborts > self.aborted:
            self.note(f"the PCR counts {aborts} tests that were broken off, {self.aborted} parts say so", "")
        if self.open_wafers:
            self.note("a wafer has no end (WRR)", "")
        for what, parts in self.notes.items():
            named = [part for part in parts if part]
            more = f" and {len(named) - 1} more" if len(named) > 1 else ""
            self.answer.warnings.append(f"{named[0]}{more}: {what}" if named else what)
        if self.passed_over:
            self.answer.warnings.append(f"{self.passed_over} of {self.count} parts passed and are not reported")


def verdict(flags, parameters):
    """A test's status, and why where that is no plain verdict."""
    if flags & FAILED and not flags & NO_VERDICT:
        return "F", None
    if flags & ABORTED:
        return "T", "broken off"
    if flags & NOT_EXECUTED:
        return "S", "not executed"
    if flags & NO_VERDICT:
        return "D", "no verdict"
    doubts = [word for bit, word in DOUBTS.items() if flags & bit]
    if not parameters & PASSED_ALTERNATE_LIMITS:
        doubts += [word for bit, word in PARAMETER_DOUBTS.items() if parameters & bit]
    if doubts:
        return "E", f"passed in spite of {' and '.join(doubts)}"
    return "P", None


def site(record):
    """Head and site: where on the tester."""
    return record.number("B"), record.number("B")


def limit(value, is_missing):
    return None if is_missing or not math.isfinite(value) else single(value)


def single(value):
    """A number of single precision without the digits it never had."""
    return float(f"{value:.7g}")


if __name__ == "__main__":
    run(convert)
