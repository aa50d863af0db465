"""What the questions here have in common: programs started and timed, quiet disks, bytes on
disk, files that came back.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

# A disk is quiet when it had nothing to do at so many looks, one after the other.
LOOK_EVERY_S = 0.01
QUIET_LOOKS = 20
# Where a device's statistics have the requests that it has not answered yet.
IN_FLIGHT = 8


class Failed(Exception):
    """A program failed, or lost a file. It ends the run."""


@dataclass
class Setup:
    """What the command line says to all questions here."""

    annals: Path
    # An older program and a store for both, or None.
    baseline: Path
    million: Path
    work: Path
    quick: bool
    rounds: int
    # Returns a folder with so many generated files.
    files: object
    # Returns a store with a million entries.
    store: object

    def pick(self, full, quick):
        return quick if self.quick else full


@dataclass
class Took:
    """The time from start to end, and the processor time of the program and all its children,
    in seconds.
    """

    wall: float
    processor: float
    said: str


@dataclass
class Answer:
    """What a question came to: one table and the targets that it decides."""

    head: list
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    verdict: list = field(default_factory=list)

    def row(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def at_least(self, what, measured, limit, annals="", beside=""):
        self._target(what, measured, f"at least {limit:,}", measured >= limit, annals, beside)

    def at_most(self, what, measured, limit, annals="", beside=""):
        self._target(what, measured, f"at most {limit:,}", measured <= limit, annals, beside)

    def _target(self, what, measured, limit, met, annals, beside):
        self.verdict.append(
            [what, annals, beside, short(measured), limit, "yes" if met else "**no**"]
        )

    def __str__(self):
        text = aligned([self.head, *self.rows])
        if self.notes:
            text += "\n" + "\n".join(f"- {note}" for note in self.notes) + "\n"
        if self.verdict:
            text += (
                "\n"
                + "\n".join(
                    f"- {what}: {measured}, {limit}: {met}"
                    for what, _, _, measured, limit, met in self.verdict
                )
                + "\n"
            )
        return text


def aligned(lines):
    """Returns lines of cells as a Markdown table; the first line is its head."""
    widths = [max(len(line[nth]) for line in lines) for nth in range(len(lines[0]))]

    def text(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |\n"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|\n"
    return text(lines[0]) + rule + "".join(text(line) for line in lines[1:])


def short(number):
    """Returns a number with as many digits as mean something."""
    if abs(number) < 0.1:
        return f"{number:.3f}"
    if abs(number) < 10:
        return f"{number:.2f}"
    if abs(number) < 100:
        return f"{number:.1f}"
    return f"{number:,.0f}"


def mib(count):
    return f"{count / (1 << 20):,.1f} MiB"


def seconds(time_s):
    return f"{time_s:.2f} s" if time_s < 100 else f"{time_s:.0f} s"


def timed(command, **more):
    """Runs a program to its end."""
    command = [str(word) for word in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **more)
        # The processor time of the program, and of the children that it waited for.
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        said, complaint = (file.read().decode(errors="replace") for file in (out, err))
    if child.returncode != 0:
        raise Failed(
            f"{Path(command[0]).name} {' '.join(command[1:])}: exit code {child.returncode}: {complaint.strip()[-500:]}"
        )
    return Took(wall, usage.ru_utime + usage.ru_stime, said)


def settle(folder):
    """Waits until the disk below a folder has nothing left to do, so that no turn pays for the
    one before.
    """
    os.sync()
    device = os.stat(folder).st_dev
    counts = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    quiet = 0
    while quiet < QUIET_LOOKS:
        time.sleep(LOOK_EVERY_S)
        quiet = quiet + 1 if counts.read_text().split()[IN_FLIGHT] == "0" else 0


def fresh(folder):
    """Returns an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextlib.contextmanager
def scratch(folder):
    """An empty folder that is gone afterwards."""
    try:
        yield fresh(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def on_disk(folder, without=()):
    """Returns the blocks of everything below a folder in bytes, as du counts them, without some
    names directly in it.
    """
    total = os.lstat(folder).st_blocks
    for root, folders, files in os.walk(folder):
        if Path(root) == Path(folder):
            folders[:] = [name for name in folders if name not in without]
            files = [name for name in files if name not in without]
        total += sum(os.lstat(os.path.join(root, name)).st_blocks for name in folders + files)
    return total * 512


def digests(folder):
    """Returns the hashes of all files below a folder, whatever their names.

    Whoever comes next finds them in the page cache.
    """
    found = []
    for root, _, files in os.walk(folder):
        for name in files:
            with open(os.path.join(root, name), "rb") as file:
                found.append(hashlib.sha256(file.read()).digest())
    return sorted(found)


def compare(source, came, who):
    """Fails unless the files of two folders are the same."""
    if digests(source) != digests(came):
        raise Failed(f"{who} lost or changed a file")
