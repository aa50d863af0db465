"""J. `annals archive DIR` beside `restic backup` and `borg create`.

Time, processor time, and bytes on disk.
"""

import os
import shutil
from dataclasses import dataclass, field
from statistics import median

from .measuring import Answer, compare, digests, mib, on_disk, scratch, seconds, settle, timed

TITLE = "Archiving from the command line"
JOURNAL_MIB = 4


class Annals:
    name = "annals archive"
    missing = None

    def __init__(self, program):
        self.program = program

    def run(self, folder, *words):
        return timed([self.program, "-s", folder / "store", *words])

    def begin(self, folder):
        self.run(folder, "init", "--no-key", folder / "store")

    def take(self, folder, files):
        return self.run(folder, "archive", files, "-c", "ICT CSV")

    def give(self, folder, to):
        self.run(folder, "restore", "-c", "ICT CSV", "--to", to)

    def bytes(self, folder):
        return on_disk(folder / "store", without=("index.redb",))


class Restic:
    name = "restic backup"

    def __init__(self):
        self.missing = None if shutil.which("restic") else "no restic here"

    def run(self, folder, *words, **more):
        environment = {
            **os.environ,
            "RESTIC_PASSWORD": "compare",
            "RESTIC_REPOSITORY": str(folder / "store"),
        }
        return timed(["restic", "--no-cache", "-q", *words], env=environment, **more)

    def begin(self, folder):
        self.run(folder, "init", "--repository-version", "2")

    def take(self, folder, files):
        return self.run(folder, "backup", ".", cwd=files)

    def give(self, folder, to):
        self.run(folder, "restore", "latest", "--target", to)

    def bytes(self, folder):
        return on_disk(folder / "store")


class Borg:
    name = "borg create"

    def __init__(self):
        self.missing = None if shutil.which("borg") else "no borg here"

    def run(self, folder, *words, **more):
        environment = {
            **os.environ,
            "BORG_BASE_DIR": str(folder / "home"),
            "BORG_REPO": str(folder / "store"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
        }
        return timed(["borg", *words], env=environment, **more)

    def begin(self, folder):
        self.run(folder, "init", "-e", "none")

    def take(self, folder, files):
        return self.run(
            folder, "create", "-C", "zstd,3", "--files-cache", "disabled", "::all", ".", cwd=files
        )

    def give(self, folder, to):
        to.mkdir()
        self.run(folder, "extract", "::all", cwd=to)

    def bytes(self, folder):
        return on_disk(folder / "store")


@dataclass
class Seen:
    """The rounds of one program."""

    wall: list = field(default_factory=list)
    processor: list = field(default_factory=list)
    bytes: list = field(default_factory=list)
    # Only of annals: after its compaction, and the journal right after the archiving.
    dense: list = field(default_factory=list)
    pass_s: list = field(default_factory=list)
    journal: list = field(default_factory=list)


def turn(setup, program, files, seen, check):
    """One program takes all files into a new store."""
    with scratch(setup.work / "archiving") as folder:
        program.begin(folder)
        # borg has the system forget what it read.
        digests(files)
        settle(folder)
        took = program.take(folder, files)
        os.sync()
        seen.wall.append(took.wall)
        seen.processor.append(took.processor)
        seen.bytes.append(program.bytes(folder))
        if isinstance(program, Annals):
            seen.journal.append(on_disk(folder / "store" / "journal"))
            if check:
                compare_what_comes_back(program, folder, files)
            settle(folder)
            seen.pass_s.append(program.run(folder, "compact").wall)
            os.sync()
            seen.dense.append(program.bytes(folder))
        if check:
            compare_what_comes_back(program, folder, files)


def compare_what_comes_back(program, folder, files):
    with scratch(folder / "back") as back:
        program.give(folder, back / "files")
        compare(files, back, program.name)


def measure(setup, answer, count, programs):
    """Measures one number of files. Returns the medians by name."""
    files = setup.files(count)
    seen = {program.name: Seen() for program in programs}
    for nth in range(setup.rounds):
        for program in programs:
            turn(setup, program, files, seen[program.name], check=nth == 0)
    medians = {}
    for name, rounds in seen.items():
        figures = {key: median(values) for key, values in vars(rounds).items() if values}
        medians[name] = figures
        dense = (
            f"{mib(figures['dense'])} ({seconds(figures['pass_s'])})" if "dense" in figures else ""
        )
        journal = mib(figures["journal"]) if "journal" in figures else ""
        rate = f"{count / figures['wall']:,.0f}"
        answer.row(
            f"{name}, {count:,}",
            seconds(figures["wall"]),
            rate,
            seconds(figures["processor"]),
            mib(figures["bytes"]),
            journal,
            dense,
        )
    return medians


def answer(setup):
    answer = Answer(
        [
            "who, files",
            "start to end",
            "files/s",
            "processor time",
            "on disk",
            "of it journal",
            "after `annals compact`",
        ]
    )
    present = []
    for program in (Annals(setup.annals), Restic(), Borg()):
        if program.missing:
            answer.notes.append(f"skipped: {program.name}: {program.missing}")
        else:
            present.append(program)
    few, many = setup.pick(20_000, 1_000), setup.pick(100_000, 2_000)
    found = measure(setup, answer, few, present)
    ours = found[Annals.name]
    faster(answer, few, ours, found, {Restic.name: 1.5, Borg.name: 2.5})
    if restic := found.get(Restic.name):
        beside = restic["processor"]
        answer.at_most(
            f"processor time for {few:,} files: of restic's",
            ours["processor"] / beside,
            1.2,
            seconds(ours["processor"]),
            seconds(beside),
        )
        for when, key, limit in (
            ("at once", "bytes", 0.7),
            ("after `annals compact`", "dense", 0.33),
        ):
            beside = restic["bytes"]
            answer.at_most(
                f"bytes on disk of {few:,} files, {when}: of restic's",
                ours[key] / beside,
                limit,
                mib(ours[key]),
                mib(beside),
            )
    answer.at_most(
        "journal of a store that nobody has open, MiB", ours["journal"] / (1 << 20), JOURNAL_MIB
    )
    # So many that starts and the first dictionary do not count.
    found = measure(
        setup, answer, many, [program for program in present if not isinstance(program, Borg)]
    )
    faster(answer, many, found[Annals.name], found, {Restic.name: 1.2})
    answer.notes.append(
        "Files of 8.5 KB from the page cache; the stores are made before, without a key. Processor time is user and system of the whole tree of "
        "processes. On disk are the blocks of the whole folder, without the index of annals, which can be made anew. restic encrypts, "
        "keeps no cache and compresses with `auto`; borg does not encrypt, compresses with `zstd,3` and keeps no cache of files."
    )
    return answer


def faster(answer, count, ours, found, limits):
    """States how many times as fast annals is as some others."""
    for name, limit in limits.items():
        if theirs := found.get(name):
            ratio = theirs["wall"] / ours["wall"]
            answer.at_least(
                f"`annals archive` of {count:,} files: times `{name}`",
                ratio,
                limit,
                seconds(ours["wall"]),
                seconds(theirs["wall"]),
            )
