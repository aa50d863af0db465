"""N. `annals reprocess`.

What an item costs beside the converter's own time, and items a second if that does nothing.
"""

import shutil
from statistics import median

from .measuring import Answer, Failed, scratch, seconds, settle, short, timed

TITLE = "Reprocessing"

# Adds up how long it had each request, without the time in which it waited for one.
WORKER = """
import json, os, sys, time
own, spent = os.open("own", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 0
for line in sys.stdin:
    began = time.monotonic_ns()
    told = json.loads(line)
    until = began + {work_ns}
    while time.monotonic_ns() < until:
        pass
    answer = json.dumps({{"id": told["id"], "status": "success", "report": {{"name": os.path.basename(told["input"])}}}})
    spent += time.monotonic_ns() - began
    os.pwrite(own, b"%020d" % spent, 0)
    print(answer, flush=True)
"""

CONFIGURATION = """
[store]
path = "store"

[[converter]]
name = "ICT CSV"
mode = "worker"
command = ["python3", "-I", "-S", "worker.py"]
bundle = ["worker.py"]
environment = "Python"
watch_folder = "watch"
archive_enabled = true
post_process = "archive"
settle_s = 0
sandbox = "off"
"""
WORK_NS = 2_000_000


def turn(setup, plant, items, jobs, work_ns):
    """Reprocesses all items of a new copy of the store.

    Returns the time it took, and the time the workers had.
    """
    with scratch(setup.work / "reprocessing") as root:
        shutil.copytree(plant / "store", root / "store")
        (root / "watch").mkdir()
        (root / "worker.py").write_text(WORKER.format(work_ns=work_ns))
        (root / "host.toml").write_text(CONFIGURATION)
        settle(root)
        took = timed(
            [setup.annals, "--config", "host.toml", "reprocess", "-c", "ICT CSV", *jobs], cwd=root
        )
        said = timed(
            [
                setup.annals,
                "-s",
                root / "store",
                "--json",
                "list",
                "--status",
                "success",
                "--limit",
                items,
            ]
        ).said
        if len(said.splitlines()) != items:
            raise Failed(f"{len(said.splitlines())} of {items} items were reprocessed")
        return took.wall, int((root / "own").read_text()) / 1e9 if jobs else None


def answer(setup):
    answer = Answer(
        ["converter", "items", "start to end", "items/s", "its own time", "beyond it, an item"]
    )
    items = setup.pick(5_000, 300)
    files = setup.files(items)
    with scratch(setup.work / "reprocessing-plant") as plant:
        timed([setup.annals, "init", "--no-key", plant / "store"])
        timed([setup.annals, "-s", plant / "store", "archive", files, "-c", "ICT CSV"])
        busy, nothing = [], []
        for _ in range(setup.rounds):
            wall, own = turn(setup, plant, items, ["--jobs", "1"], WORK_NS)
            busy.append((wall, own, (wall - own) / items))
            nothing.append(turn(setup, plant, items, [], 0)[0])
    wall, own, cost = (median(values) for values in zip(*busy))
    answer.row(
        f"one worker that computes for {WORK_NS / 1e6:.0f} ms",
        f"{items:,}",
        seconds(wall),
        short(items / wall),
        seconds(own),
        f"{cost * 1e3:.2f} ms",
    )
    answer.at_most("reprocess, ms an item beside the converter's own time", cost * 1e3, 1.0)
    wall = median(nothing)
    answer.row(
        "workers that do nothing, as many as the default is",
        f"{items:,}",
        seconds(wall),
        short(items / wall),
        "",
        "",
    )
    answer.at_least("reprocess, items/s with workers that do nothing", items / wall, 1_500)
    answer.notes.append(
        "Sources of 8.5 KB, a report for each; from the start of the process to its end, with the start of the workers."
    )
    return answer
