"""Compares what was dropped on a simulated day with the store, the server and the folders.

Takes facts and answers figures and complaints; it looks at nothing itself.
"""

from collections import Counter, defaultdict

from plant import ATTEMPTS

# The last word on a source, by what it told its converter to do.
ENDS = {
    "success": {"success"},
    "suspended": {"success"},
    "refuse": {"success", "rejected"},
    "skipped": {"skipped"},
    "rejected": {"rejected"},
    "failed": {"failed"},
    "hang": {"failed"},
    "crash": {"failed"},
    "babble": {"failed"},
    "silent": {"failed"},
}
FAILS = {kind for kind, ends in ENDS.items() if ends == {"failed"}}


class Facts:
    """What is known at the end of the day."""

    def __init__(self):
        self.drops = []  # plant.Drop
        self.entries = []  # `annals list --purged --json`
        self.events = []  # `annals events`
        self.server = []  # The server's own record.
        self.folders = {}  # (line, "in" | "done" | "error") -> Counter of contents
        self.restored = {}  # entry -> sha256 of what `annals restore` wrote
        self.claims = []  # Lines of the host's log that say what was made durable.
        self.runs = []  # The converters' own record.
        self.killed_workers = 0
        self.resubmitted = set()  # entries


def short(digest):
    return digest[:12]


class Account:
    def __init__(self, facts):
        self.facts = facts
        self.complaints = []
        self.lost = self.twice = 0
        self.of = defaultdict(list)  # (line, content) -> entries
        for entry in facts.entries:
            self.of[entry["converter"], entry["sha256"]].append(entry)
        self.keys = defaultdict(set)  # report of the store -> keys it was intended under
        for event in facts.events:
            if event["type"] == "annals.submit.intended.v1":
                data = event["data"]
                self.keys[data["entry"], data["attempt"], data["report"]].add(data["key"])
        self.taken = {}  # key -> what the server took
        for line in facts.server:
            if line["verdict"] == "taken":
                self.taken[line["key"]] = line

    def gone(self, what):
        self.lost += 1
        self.complaints.append("lost: " + what)

    def doubled(self, what):
        self.twice += 1
        self.complaints.append("twice: " + what)

    def wrong(self, what):
        self.complaints.append("wrong: " + what)

    def close(self):
        self.sources()
        self.attempts()
        self.reports()
        self.refusals()
        self.places()
        self.bytes()
        self.acknowledged()
        return {
            "dropped": len(self.facts.drops),
            "entries": len(self.facts.entries),
            "attempts": sum(len(entry["attempts"]) for entry in self.facts.entries),
            "runs": len(self.facts.runs),
            "reports taken": len({line["report"] for line in self.taken.values()}),
            "keys": len(self.taken),
            "refused": len(
                {line["key"] for line in self.facts.server if line["verdict"] == "refused"}
            ),
            "lost": self.lost,
            "twice": self.twice,
            "complaints": len(self.complaints),
        }

    def sources(self):
        """Each dropped file is one entry of its converter, and nothing else is."""
        dropped = Counter(
            (drop.line.name, drop.sha256) for drop in self.facts.drops if drop.line.archives
        )
        halves = {(drop.line.name, half) for drop in self.facts.drops for half in drop.halves}
        names = {(drop.line.name, drop.sha256): drop.name for drop in self.facts.drops}
        kinds = {(drop.line.name, drop.sha256): drop.kind for drop in self.facts.drops}
        for (line, digest), count in dropped.items():
            # What was purged before it was converted is archived once more; the first entry of the
            # two does not count.
            counting = [
                entry for entry in self.of[line, digest] if not self._purged_early(entry, kinds)
            ]
            about = "{!r} of {} ({})".format(names[line, digest], line, short(digest))
            if len(counting) < count:
                self.gone(
                    "{} was dropped {} times and is {} entries".format(about, count, len(counting))
                )
            elif len(counting) > count:
                self.doubled(
                    "{} was dropped {} times and is {} entries".format(about, count, len(counting))
                )
        for (line, digest), entries in self.of.items():
            if (line, digest) not in dropped and (line, digest) not in halves:
                self.doubled(
                    "entry {} of {}, {!r}, was never dropped".format(
                        entries[0]["id"], line, entries[0]["source_name"]
                    )
                )
        known = {
            (drop.line.name, drop.sha256, drop.name.decode("utf-8", "replace"))
            for drop in self.facts.drops
        }
        for entry in self.facts.entries:
            if (entry["converter"], entry["sha256"]) in dropped and (
                entry["converter"],
                entry["sha256"],
                entry["source_name"],
            ) not in known:
                self.wrong("entry {} has the name {!r}".format(entry["id"], entry["source_name"]))

    @staticmethod
    def _purged_early(entry, kinds):
        if entry["purged_at"] is None:
            return False
        kind = kinds.get((entry["converter"], entry["sha256"]), "success")
        tried = sum(attempt["status"] == "failed" for attempt in entry["attempts"])
        return entry["status"] not in ENDS[kind] or (kind in FAILS and tried < ATTEMPTS)

    def attempts(self):
        """Attempts are numbered without a gap, end as the source says, and fail otherwise only
        where a worker was killed.
        """
        kinds = {(drop.line.name, drop.sha256): drop.kind for drop in self.facts.drops}
        runs = Counter(run["sha256"] for run in self.facts.runs)
        unasked = 0
        recorded = Counter()
        for entry in self.facts.entries:
            kind = kinds.get((entry["converter"], entry["sha256"]))
            if kind is None:
                continue
            about = "entry {} of {} ({})".format(entry["id"], entry["converter"], kind)
            recorded[entry["sha256"]] += len(entry["attempts"])
            if [attempt["attempt"] for attempt in entry["attempts"]] != list(
                range(1, len(entry["attempts"]) + 1)
            ):
                self.wrong("{}: its attempts have a gap".format(about))
            failed = sum(attempt["status"] == "failed" for attempt in entry["attempts"])
            ended = entry["status"] in ENDS[kind]
            if kind in FAILS:
                ended = ended and failed == ATTEMPTS
            else:
                unasked += failed
                # All its attempts may have met a killed worker.
                ended = ended or failed == ATTEMPTS
                others = [
                    attempt["status"]
                    for attempt in entry["attempts"]
                    if attempt["status"] != "failed"
                ]
                if (
                    others.count("suspended") > (1 if kind == "suspended" else 0)
                    or len(others) - others.count("suspended") > 1
                ):
                    self.doubled("{} was converted to {}".format(about, others))
            if not ended and entry["purged_at"] is None:
                self.gone(
                    "{} ended as {} after {} attempts".format(
                        about, entry["status"], len(entry["attempts"])
                    )
                )
        if unasked > self.facts.killed_workers:
            self.wrong(
                "{} attempts failed that were not to, and {} workers were killed".format(
                    unasked, self.facts.killed_workers
                )
            )
        never = sum(max(0, count - runs[digest]) for digest, count in recorded.items())
        if never > self.facts.killed_workers:
            self.wrong("{} attempts are recorded that no converter made".format(never))

    def reports(self):
        """The server has each report of a success, under one key, as the store has it."""
        keys = defaultdict(set)
        for key, line in self.taken.items():
            keys[line["report"]].add(key)
        for report, under in keys.items():
            if len(under) > 1:
                self.doubled("the server took report {} under {} keys".format(report, len(under)))
        for line in self.facts.server:
            if line["verdict"] == "another under this key":
                self.wrong("another report came under the key of {}".format(line["report"]))
        by_source = defaultdict(set)
        for line in self.taken.values():
            by_source[line["source"]].add(line["report"])
        intended = set()
        lines = {drop.line.name: drop.line for drop in self.facts.drops}
        for entry in self.facts.entries:
            line = lines.get(entry["converter"])
            if line is None or not line.submits or line.sends_directly:
                continue
            for attempt in entry["attempts"]:
                for number, report in enumerate(attempt["reports"]):
                    place = (entry["id"], attempt["attempt"], number)
                    intended |= self.keys[place]
                    allowed = 2 if entry["id"] in self.facts.resubmitted else 1
                    if len(self.keys[place]) > allowed:
                        self.doubled(
                            "report {} was sent under {} keys".format(place, len(self.keys[place]))
                        )
                    if not any(
                        self.taken.get(key, {}).get("sha256") == report["sha256"]
                        for key in self.keys[place]
                    ):
                        self.gone(
                            "report {} of {} is not with the server".format(
                                place, entry["converter"]
                            )
                        )
                    if report["reported_at"] is None:
                        self.gone("that the server took report {} is not recorded".format(place))
        # What no store keeps is known by its source.
        ended = {
            (entry["converter"], entry["sha256"]): entry["status"] for entry in self.facts.entries
        }
        direct = [drop for drop in self.facts.drops if drop.line.sends_directly]
        for drop in direct:
            status = ended.get((drop.line.name, drop.sha256), "success")
            wanted = ENDS[drop.kind] == {"success"} and status == "success"
            if not drop.line.archives and self.facts.folders[drop.line.name, "error"][drop.sha256]:
                wanted = False
            if wanted and not by_source[drop.sha256]:
                self.gone(
                    "the report of {!r} of {} is not with the server".format(
                        drop.name, drop.line.name
                    )
                )
        sources = {drop.sha256 for drop in direct} | {
            half for drop in direct for half in drop.halves
        }
        for key, line in self.taken.items():
            if key not in intended and line["source"] not in sources:
                self.wrong(
                    "the server took report {} under a key nobody recorded".format(line["report"])
                )

    def refusals(self):
        """A refusal is on record, in the server's words, and costs nobody a file."""
        said = defaultdict(list)
        for event in self.facts.events:
            if event["type"] == "annals.submit.rejected.v1":
                said[event["data"]["key"]].append(event["data"]["text"])
        words = [
            attempt["error"] or ""
            for entry in self.facts.entries
            for attempt in entry["attempts"]
            if attempt["status"] == "rejected"
        ]
        unarchived = {drop.sha256 for drop in self.facts.drops if not drop.line.archives}
        aside = {
            digest
            for (_, what), contents in self.facts.folders.items()
            if what == "error"
            for digest in contents
        }
        for line in self.facts.server:
            if line["verdict"] != "refused":
                continue
            known = any(line["words"] in text for text in said[line["key"]]) or any(
                line["words"] in text for text in words
            )
            if not known and not (line["source"] in unarchived and line["source"] in aside):
                self.gone("the refusal of report {} is not recorded".format(line["report"]))

    def places(self):
        """What is to remain of each file is in its folder, once."""
        expected = defaultdict(Counter)
        archived = {drop.line.name: drop.line for drop in self.facts.drops}
        for entry in self.facts.entries:
            line = archived.get(entry["converter"])
            if line is not None:
                self._expect(expected, line, entry["sha256"], entry["status"])
        for drop in self.facts.drops:
            if not drop.line.archives:
                aside = self.facts.folders[drop.line.name, "error"][drop.sha256]
                # A worker that was killed may have failed what would have succeeded.
                failed = ENDS[drop.kind] & {"rejected", "failed"} or aside
                self._expect(expected, drop.line, drop.sha256, "failed" if failed else "success")
        for place in set(expected) | set(self.facts.folders):
            found, wanted = self.facts.folders.get(place, Counter()), expected[place]
            for digest in sorted(set(found) | set(wanted)):
                about = "{} of {}: {}".format(place[1], place[0], short(digest))
                if found[digest] < wanted[digest] and place[0] != "SCRAP":
                    self.gone(
                        "{} is there {} times, not {}".format(about, found[digest], wanted[digest])
                    )
                elif found[digest] > wanted[digest]:
                    self.doubled(
                        "{} is there {} times, not {}".format(about, found[digest], wanted[digest])
                    )

    @staticmethod
    def _expect(expected, line, digest, status):
        if status in ("failed", "rejected"):
            expected[line.name, "error"][digest] += 1
        elif line.post in ("move", "zip"):
            expected[line.name, "done"][digest] += 1
        elif line.post == "keep":
            expected[line.name, "in"][digest] += 1

    def bytes(self):
        """Everything that was not purged comes back as it was dropped."""
        for entry in self.facts.entries:
            if entry["purged_at"] is not None:
                if entry["converter"] != "SCRAP":
                    self.gone("entry {} of {} was purged".format(entry["id"], entry["converter"]))
            elif self.facts.restored.get(entry["id"]) != entry["sha256"]:
                self.gone("entry {} does not come back as it was".format(entry["id"]))

    def acknowledged(self):
        """What the host's log called done is done."""
        entries = {entry["id"]: entry for entry in self.facts.entries}
        told = Counter()
        for claim in self.facts.claims:
            number = claim.get("entry")
            if number is None:
                continue
            if number not in entries:
                self.gone(
                    "entry {} was told of as {} and is not there".format(number, claim["message"])
                )
            elif "outcome" in claim:
                told[number, claim["outcome"]] += 1
        for (number, outcome), count in told.items():
            recorded = sum(attempt["status"] == outcome for attempt in entries[number]["attempts"])
            if recorded < count:
                self.gone(
                    "entry {}: {} attempts were told of as {}, {} are recorded".format(
                        number, count, outcome, recorded
                    )
                )
