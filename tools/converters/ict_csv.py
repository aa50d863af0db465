#!/usr/bin/env python3
"""ICT board test CSV -> WSJF report. Version 1.2.0.

    #ICT-REPORT;2.1
    Serial;K2510-00117            header: Key;Value
    ...
    Name;Value;Unit;Low;High;Result
    R101 10k;9.9871;kOhm;9.9;10.1;PASS
    TOTAL;128;0                   measured;failed: only from testers with software 1.x
    END;128;PASS;38.4             measured;verdict;seconds

A unit passes when END says so, at least one measurement was taken, none failed, and TOTAL does not say otherwise.
"""

from annals_converter import Failed, Rejected, run
import wsjf

COLUMNS = "Name;Value;Unit;Low;High;Result"
UNIT_KEYS = ("Serial", "Part", "Revision", "Process", "Decimal")


def convert(source, answer):
    lines, cut = source.lines()
    if not (lines[0] if lines else cut).startswith("#ICT-REPORT;"):
        raise Rejected("not an ICT report: the first line is not '#ICT-REPORT;...'")
    header = read_header(lines)
    answer.serial = header.get("Serial", "")
    answer.part = header.get("Part", "")
    answer.station = header.get("Station", "")
    if COLUMNS not in lines:
        raise Failed(f"the file is cut short: the line '{COLUMNS}' is missing after line {len(lines)}")
    for key in ("Serial", "Part", "Revision", "Station", "Start"):
        if not header.get(key):
            raise Failed(f"the header names no {key}")
    process = wsjf.process_code(source.arguments, header.get("Process", ""))
    answer.process = str(process)
    decimal = header.get("Decimal", ".")
    if decimal not in (".", ","):
        raise Failed(f"the header's Decimal is '{decimal}', not '.' or ','")

    first = lines.index(COLUMNS) + 1
    if cut:
        raise Failed(f"the file is cut short: line {len(lines) + 1} breaks off, the END line is missing")
    if not lines[-1].startswith("END;"):
        raise Failed(f"the file is cut short: the END line is missing after line {len(lines)}")
    steps, totals = [], []
    for index in range(first, len(lines) - 1):
        if lines[index].startswith("TOTAL;"):
            totals.append(read_total(lines[index], f"line {index + 1}"))
            continue
        steps.append(read_row(lines[index], f"line {index + 1}", decimal, answer))
    count, verdict, seconds = read_end(lines[-1], f"line {len(lines)}", decimal)
    if count != len(steps):
        raise Failed(f"END announces {count} measurements, there are {len(steps)}")
    failed = sum(step["status"] == "F" for step in steps)
    for total in totals:
        if total != (len(steps), failed):
            raise Failed(
                f"TOTAL announces {total[0]} measurements and {total[1]} failures, there are {len(steps)} and {failed}"
            )

    root = wsjf.sequence(header.get("Program", "ICT"), steps, seconds)
    if root["status"] not in (verdict[0], "S"):
        answer.warnings.append(f"END says {verdict}, the measurements say otherwise")
    if verdict == "FAIL":
        root["status"] = "F"
    return wsjf.report(
        source,
        answer,
        root,
        header["Revision"],
        wsjf.times(header["Start"], "Start", answer, source.arguments),
        process,
        uut={"execTime": seconds, "user": header.get("Operator", ""), "fixtureId": header.get("Fixture", "")},
        misc={"Program": header.get("Program"), "Tester software": header.get("Software")},
    )


def read_header(lines):
    header = {}
    for line in lines[1:]:
        if line == COLUMNS:
            break
        key, _, value = line.partition(";")
        if header.setdefault(key, value) != value and key in UNIT_KEYS:
            raise Failed(f"the header names two values of {key}: '{header[key]}' and '{value}'")
    return header


def read_row(line, where, decimal, answer):
    fields = line.split(";")
    if len(fields) != 6:
        raise Failed(f"{where}: expected 6 fields ({COLUMNS}), found {len(fields)}")
    name, value, unit, low, high, result = fields
    if result not in ("PASS", "FAIL"):
        raise Failed(f"{where}: the result '{result}' is neither PASS nor FAIL")
    value = wsjf.number(value, f"{where}, Value", decimal)
    low = wsjf.number(low, f"{where}, Low", decimal) if low else None
    high = wsjf.number(high, f"{where}, High", decimal) if high else None
    inside = (low is None or low <= value) and (high is None or value <= high)
    if inside != (result == "PASS"):
        answer.warnings.append(f"{where} ({name}): the tester says {result}, the limits say otherwise")
    return wsjf.measurement(name, value, unit, low, high, result[0])


def read_total(line, where):
    counts = [wsjf.count(field) for field in line.split(";")[1:]]
    if len(counts) != 2 or None in counts:
        raise Failed(f"{where}: expected TOTAL;measurements;failures")
    return tuple(counts)


def read_end(line, where, decimal):
    fields = line.split(";")
    count = wsjf.count(fields[1])
    if len(fields) != 4 or count is None or fields[2] not in ("PASS", "FAIL"):
        raise Failed(f"{where}: expected END;measurements;PASS or FAIL;seconds")
    return count, fields[2], wsjf.number(fields[3], f"{where}, seconds", decimal)


if __name__ == "__main__":
    run(convert)
