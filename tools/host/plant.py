"""Simulates a plant: lines, their configuration, and testers that drop files."""

import contextlib
import hashlib
import json
import os
import random
import threading
import time

SETTLE_S = 0.6
ATTEMPTS = 3


class Line:
    """One converter, its folders, and what its testers make."""

    def __init__(
        self,
        name,
        mode,
        post,
        kinds,
        archives=True,
        submits=False,
        stores_reports=True,
        timeout_s=10.0,
        extra="",
    ):
        self.name, self.mode, self.post, self.kinds = name, mode, post, kinds
        self.archives, self.submits, self.stores_reports = archives, submits, stores_reports
        self.timeout_s, self.extra = timeout_s, extra
        self.purges = "max_archive_count" in extra

    def folder(self, what):
        return os.path.join("lines", self.name, what)

    @property
    def sends_directly(self):
        """Reports that no store keeps are sent before their conversion is recorded."""
        return self.submits and not (self.archives and self.stores_reports)


EVERYDAY = ["success"] * 12 + ["failed", "suspended", "rejected", "skipped", "refuse"]
ILL = ["success"] * 4 + ["hang", "crash", "babble", "silent", "failed", "suspended"]
LINES = [
    Line("ICT", "oneshot", "archive", EVERYDAY, submits=True),
    Line("FCT", "worker", "move", EVERYDAY, submits=True),
    Line("AOI", "worker", "zip", EVERYDAY, submits=True),
    Line("EOL", "worker", "delete", EVERYDAY, submits=True, stores_reports=False),
    Line("XRAY", "worker", "keep", ["success"] * 9 + ["skipped"]),
    Line("SPI", "oneshot", "move", EVERYDAY, archives=False, submits=True),
    Line("AXI", "worker", "delete", EVERYDAY, archives=False, submits=True),
    Line("BURN IN", "oneshot", "archive", ILL, timeout_s=1.5),
    Line("RUN-IN Ω", "worker", "move", ILL, timeout_s=1.5),
    Line(
        "SCRAP", "worker", "delete", ["success"] * 5 + ["failed"], extra="max_archive_count = 12\n"
    ),
]


def configuration(store, port, min_free_gb):
    text = (
        "[store]\npath = {}\n[host]\nmax_concurrent = 3\nmin_free_disk_gb = {}\nscan_every_s = 0.3\nstop_within_s = 1\n"
        "retention_every_h = 0.0008\n[defaults]\nsettle_s = {}\nretry = {{ max_attempts = {}, delay_s = 0.5 }}\n"
    ).format(json.dumps(store), min_free_gb, SETTLE_S, ATTEMPTS)
    for line in LINES:
        command = ["python3", "-I", "-S", "work.py"] + (
            ["{input}"] if line.mode == "oneshot" else []
        )
        text += (
            "[[converter]]\nname = {}\nmode = {}\ncommand = {}\nbundle = [\"work.py\"]\nenvironment = \"Python\"\nwatch_folder = {}\n"
            "post_process = {}\ndone_folder = {}\nerror_folder = {}\narchive_enabled = {}\narchive_output_reports = {}\ntimeout_s = {}\n{}"
        ).format(
            json.dumps(line.name, ensure_ascii=False),
            json.dumps(line.mode),
            json.dumps(command),
            json.dumps(line.folder("in"), ensure_ascii=False),
            json.dumps(line.post),
            json.dumps(line.folder("done"), ensure_ascii=False),
            json.dumps(line.folder("error"), ensure_ascii=False),
            json.dumps(line.archives),
            json.dumps(line.stores_reports),
            line.timeout_s,
            line.extra,
        )
        if line.submits:
            text += "[converter.submit]\nurl = \"http://127.0.0.1:{}/api/Report/WSJF\"\ntimeout_s = 1\n".format(
                port
            )
    return text


class Drop:
    """A file that somebody dropped, as it was meant to be."""

    def __init__(self, line, name, content, kind):
        self.line, self.name, self.kind = line, name, kind
        self.sha256 = hashlib.sha256(content).hexdigest()
        # What it was before it was finished, where its writer was held up for so long that it
        # looked finished.
        self.halves = []


class Droppers:
    """Puts files into the folders, and keeps the list of what was put there."""

    def __init__(self, root, seed, broken=None):
        self.root, self.broken = root, broken
        self.draw = random.Random(seed)
        self.drops, self.writers = [], []
        self.lock = threading.Lock()
        self._serial = 0
        for line in LINES:
            for what in ["in", "done", "error"]:
                os.makedirs(os.path.join(root, line.folder(what)))

    def content(self, kind):
        self._serial += 1
        serial = "SN{:06}".format(self._serial)
        told = ["serial,{}".format(serial), "do,{}".format("success" if kind == "refuse" else kind)]
        if kind == "refuse":
            told.append("refuse,processCode")
        for _ in range(int(self.draw.expovariate(1 / 40)) + 1):
            told.append("volts,{:.6f}".format(self.draw.uniform(0, 12)))
        return serial, ("\n".join(told) + "\n").encode()

    def burst(self, line, count):
        """Many at once.

        Some come under a name that was there before, some with content that was there before.
        """
        made = []
        for _ in range(count):
            kind = self.draw.choice(line.kinds)
            serial, content = self.content(kind)
            name = self._name(serial)
            if self.draw.random() < 0.1:
                name = "again {}.csv".format(self.draw.randint(1, 3)).encode()
            made.append((name, content, kind))
            # Without an archive, the same content under the same name is the same report, and
            # rightly so.
            if line.archives and self.draw.random() < 0.05:
                made.append((b"copy of " + name, content, kind))
        for name, content, kind in made:
            self.put(line, name, content, kind)
        return len(made)

    def _name(self, serial):
        return (
            self.draw.choice(
                [
                    "{}.csv",
                    "{}.csv",
                    "{}.csv",
                    "unit {} (1).csv",
                    "Prüfling №{} – Ω.csv",
                    "{}",
                    "-{}.csv",
                    "{}\\n.csv",
                ]
            )
            .format(serial)
            .encode()
            if self.draw.random() > 0.03
            else b"bad-\xff-" + serial.encode() + b".csv"
        )

    def put(self, line, name, content, kind):
        """Gives a whole file its name, unless one of that name is still there."""
        folder = os.path.join(self.root, line.folder("in")).encode()
        hidden = os.path.join(folder, b".being-written")
        drop = Drop(line, name, content, kind)
        number = len(self.drops)
        if self.broken == "changes" and number % 5 == 0:
            content = content[:-2] + b"?\n"
        with open(hidden, "wb") as file:
            file.write(content)
        try:
            os.link(hidden, os.path.join(folder, name))
        except FileExistsError:
            return
        finally:
            os.unlink(hidden)
        with self.lock:
            self.drops.append(drop)
        if self.broken == "steals" and number % 5 == 0:
            # On a busy machine, the host was quicker.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))
        if self.broken == "doubles" and number % 5 == 0:
            with open(os.path.join(folder, b"double of " + name), "wb") as file:
                file.write(content)

    def slowly(self, line):
        """A tester that writes a file bit by bit under its final name."""
        kind = self.draw.choice(line.kinds)
        serial, content = self.content(kind)
        content += b"volts,0.0\n" * 400
        thread = threading.Thread(
            target=self._write, args=(line, "slow {}.csv".format(serial).encode(), content, kind)
        )
        self.writers.append(thread)
        thread.start()

    def _write(self, line, name, content, kind):
        path = os.path.join(os.path.join(self.root, line.folder("in")).encode(), name)
        drop = Drop(line, name, content, kind)
        pieces = 5
        size = len(content) // pieces + 1
        with open(path, "xb", buffering=0) as file:
            last = time.monotonic()
            for piece in range(pieces):
                if piece and time.monotonic() - last > SETTLE_S * 0.8:
                    drop.halves.append(hashlib.sha256(content[: piece * size]).hexdigest())
                file.write(content[piece * size : (piece + 1) * size])
                last = time.monotonic()
                time.sleep(SETTLE_S / 4)
            # Cleared away as finished while its writer was held up: whoever writes like that drops
            # it once more.
            gone = os.fstat(file.fileno()).st_nlink == 0
        if gone and drop.halves:
            self.put(line, b"again " + name, content, kind)
            return
        with self.lock:
            self.drops.append(drop)

    def renamed(self, line):
        """Written under a name that is not taken, then given its own."""
        kind = self.draw.choice(line.kinds)
        serial, content = self.content(kind)
        folder = os.path.join(self.root, line.folder("in"))
        part, path = (
            os.path.join(folder, serial + ".part"),
            os.path.join(folder, serial + " renamed.csv"),
        )
        with open(part, "wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            time.sleep(0.05)
            file.write(content[len(content) // 2 :])
        with self.lock:
            self.drops.append(Drop(line, os.path.basename(path).encode(), content, kind))
        os.rename(part, path)

    def finish(self):
        for writer in self.writers:
            writer.join()
