"""K. `annals rebuild` of today beside the same command of an older program, each on its own
copy of a store.
"""

import json
import shutil
from statistics import median

from .measuring import Answer, Failed, scratch, seconds, settle, timed

TITLE = "Rebuild of the index"


def counts(program, store):
    """Returns what the index says that a rebuild must not change."""
    said = json.loads(timed([program, "-s", store, "--json", "stats", "--by", "status"]).said)
    return {key: said[key] for key in ("entries", "purged", "groups")}


def small_store(setup, store):
    """Archives the files of a quick run. Returns the store."""
    timed([setup.annals, "init", store])
    timed([setup.annals, "-s", store, "archive", setup.files(2_000), "-c", "ICT CSV"])
    return store


def prepare(program, store, copy):
    """Copies the store and has the program make its own index, which may have another form.

    Returns what it says.
    """
    shutil.copytree(store, copy)
    timed([program, "-s", copy, "rebuild"])
    return counts(program, copy)


def answer(setup):
    answer = Answer(["who", "entries", "start to end", "entries/s"])
    programs = {"today": setup.annals}
    if setup.baseline:
        programs["the older program"] = setup.baseline
    else:
        answer.notes.append("skipped: an older program: no --baseline")
    with scratch(setup.work / "rebuilding") as folder:
        store = setup.million or (
            small_store(setup, folder / "small") if setup.quick else setup.store()
        )
        said = {}
        for name, program in list(programs.items()):
            try:
                said[name] = prepare(program, store, folder / name)
            except Failed as failed:
                if program is setup.annals:
                    raise
                answer.notes.append(
                    f"skipped: the older program cannot use a store of today; --million names one that it can: {failed}"
                )
                del programs[name]
        times = {name: [] for name in programs}
        for _ in range(setup.rounds):
            for name, program in programs.items():
                settle(folder)
                times[name].append(timed([program, "-s", folder / name, "rebuild"]).wall)
        rates = {}
        for name, program in programs.items():
            if counts(program, folder / name) != said[name]:
                raise Failed(f"{name}: a rebuild changed what the index says")
            took = median(times[name])
            rates[name] = said[name]["entries"] / took
            answer.row(name, f"{said[name]['entries']:,}", seconds(took), f"{rates[name]:,.0f}")
    if len(rates) == 2:
        ours, before = rates.values()
        answer.at_least(
            "rebuild of the index, entries/s: times the older program",
            ours / before,
            2.2,
            f"{ours:,.0f}/s",
            f"{before:,.0f}/s",
        )
    answer.notes.append(
        "Processes from start to end, with the opening of the store. Each has made its index once before."
    )
    return answer
