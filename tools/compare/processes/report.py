"""The report: the verdict of all targets in one table, then a section for each question; and a
document that holds them.
"""

import re
import sys
import textwrap
from datetime import date

from .measuring import aligned

HEAD = ["", "what", "annals", "beside it", "value", "target", "met", "date", "why not"]
# Columns of it.
MET, DATE, WHY = 6, 7, 8
# Lines of a document; the text between them is replaced.
VERDICT = ("<!-- verdict: written by tools/compare/run -->", "<!-- end of the verdict -->")
TABLES = ("<!-- tables: written by tools/compare/run -->", "<!-- end of the tables -->")
COLUMNS = 100
MISSED = "**no**"


def verdict(rows, why=None):
    """Returns the rows as a table, those that are not met with what is known of why."""
    why = why or {}
    known = []
    for row in sorted(rows, key=lambda row: row[0]):
        dated = row[:WHY] if len(row) > DATE else [*row, str(date.today())]
        known.append([*dated, why.get((row[0], row[1]), "") if row[MET] == MISSED else ""])
    return aligned([HEAD, *known])


def sections(text):
    """Returns the text before the first section, and the sections by letter."""
    before, *rest = re.split(r"(?m)^(?=### [A-Z]\. )", text)
    return before, {section[4]: section for section in rest}


def wrapped(text):
    """Returns the text with its prose in lines that a document may have."""
    lines, inside = [], False
    for line in text.split("\n"):
        inside ^= line.startswith("```")
        if inside or line.startswith(("|", "#", "```")) or len(line) <= COLUMNS:
            lines.append(line)
        else:
            indent = "  " if line.startswith("- ") else ""
            lines += textwrap.wrap(
                line,
                COLUMNS,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines)


def between(path, text, marks):
    """Returns what stands between two lines of a document, and what stands before and after it
    with those lines.
    """
    before, found, rest = text.partition(marks[0])
    inside, found_end, after = rest.partition(marks[1])
    if not (found and found_end):
        sys.exit(f"{path} lacks the lines {marks[0]!r} and {marks[1]!r}")
    return inside, before + marks[0], marks[1] + after


def rows_of(table):
    """Returns the rows of a verdict that stands in a document."""
    rows = []
    for line in table.strip().splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == len(HEAD):
            rows.append(cells)
    return rows


def write(path, letters, rows, text):
    """Writes verdict and sections into a document.

    What it has of other questions stays, and so does why a target is missed.
    """
    whole = path.read_text(encoding="utf-8")
    table, before, after = between(path, whole, VERDICT)
    there = rows_of(table)
    why = {(row[0], row[1]): row[WHY] for row in there}
    rows = rows + [row[:WHY] for row in there if row[0] not in letters]
    whole = f"{before}\n\n{verdict(rows, why)}\n{after}"
    old, before, after = between(path, whole, TABLES)
    start, new = sections(text)
    kept = {
        letter: section for letter, section in sections(old)[1].items() if letter not in letters
    }
    both = {**kept, **new}
    ordered = "\n\n".join(both[letter].strip() for letter in sorted(both))
    path.write_text(
        f"{before}\n\n{wrapped(start.strip())}\n\n{wrapped(ordered)}\n\n{after}", encoding="utf-8"
    )
