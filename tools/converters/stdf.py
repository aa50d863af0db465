#!/usr/bin/env python3
"""STDF V4 of a semiconductor tester -> a WSJF report for each part. Version 1.0.0.

A unit's serial is LOT.PART, or LOT.WAFER.PART. The process code comes from the argument `operation`. With the argument
`parts` = `failed` only parts that failed are reported: the host takes 200 reports of one source. A file without its last
record (MRR) is refused: the tester was still writing it.
"""

import datetime
import math
import struct

from annals_converter import Failed, Rejected, Skipped, run
import wsjf

FAR, MIR, MRR, WIR, PIR, PRR = (0, 10), (1, 10), (1, 20), (2, 10), (5, 10), (5, 20)
PTR, MPR, FTR = (15, 10), (15, 15), (15, 20)
REPORTS_MAX = 200
BYTE_ORDERS = {1: ">", 2: "<"}

# Bits of TEST_FLG, of OPT_FLAG and of PART_FLG.
NO_VALUE, NOT_EXECUTED, FAILED = 0x02, 0x10, 0x80
LOW_AS_BEFORE, HIGH_AS_BEFORE, NO_LOW, NO_HIGH = 0x10, 0x20, 0x40, 0x80
PART_FAILED = 0x08


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
        end = kind
        lot.take(kind, record)
    if end != MRR:
        raise Failed("the file is cut short: it does not end with an MRR")
    if lot.open:
        raise Failed(f"the file is cut short: {len(lot.open)} parts have no PRR")
    if lot.passed_over:
        answer.warnings.append(f"{lot.passed_over} of {lot.count} parts passed and are not reported")
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
        yield (group, number), Record(data[at + 4 : at + 4 + size], order, where)
        at += 4 + size


class Lot:
    """What was read so far: the parts on the tester, the limits of each test, the reports."""

    def __init__(self, source, answer):
        self.source, self.answer = source, answer
        self.reports, self.open, self.tests = [], {}, {}
        self.count = self.passed_over = 0
        self.only_failed = source.arguments.get("parts") == "failed"
        self.lot = self.wafer = self.revision = self.operator = self.job = ""
        self.start = None

    def take(self, kind, record):
        if kind == MIR:
            self.take_header(record)
        elif kind == WIR:
            record.skip(6)
            self.wafer = record.text()
        elif kind == PIR:
            self.open[site(record)] = []
        elif kind in (PTR, FTR, MPR):
            number = record.number("I")
            steps = self.open.get(site(record))
            if steps is None:
                raise Failed(f"{record.where} is a test of a part that is not on the tester")
            steps.append(self.step(kind, number, record))
        elif kind == PRR:
            self.take_part(record)

    def take_header(self, record):
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

    def step(self, kind, number, record):
        flags = record.number("B")
        status = "S" if flags & NOT_EXECUTED else "F" if flags & FAILED else "P"
        if kind != PTR:
            return wsjf.check(f"Test {number}", status)
        record.skip(1)
        value = record.number("f", math.nan)
        name = record.text() or self.tests.get(number, {}).get("name") or f"Test {number}"
        record.text()
        low, high, unit = self.limits(number, name, record)
        if status == "S" or flags & NO_VALUE or not math.isfinite(value):
            return wsjf.check(name, status, "no value")
        return wsjf.measurement(name, single(value), unit, low, high, status == "P")

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
        failed = record.number("B") & PART_FAILED
        self.count += 1
        if self.only_failed and not failed:
            self.passed_over += 1
            return
        record.skip(2)
        hard_bin, soft_bin = record.number("H"), record.number("H")
        record.skip(4)
        seconds = record.number("I", 0) / 1000
        part = record.text() or str(self.count)
        serial = self.answer.serial = ".".join(word for word in (self.lot, self.wafer, part) if word)
        root = wsjf.sequence(self.job or "Tests", steps, seconds)
        if failed:
            root["status"] = "F"
        report = wsjf.report(
            self.source,
            self.answer,
            root,
            self.revision,
            self.start,
            int(self.answer.process),
            result="F" if failed else None,
            uut={"execTime": seconds, "user": self.operator},
            misc={"Hard bin": str(hard_bin), "Soft bin": str(soft_bin), "Site": f"{place[0]}.{place[1]}"},
            index=self.count - 1,
        )
        self.reports.append(report)
        if len(self.reports) > 1:
            self.answer.serial = self.lot


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
