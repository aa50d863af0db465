"""M. What a host with 20 converters takes while no file comes: processor time and wake-ups."""

import os
import subprocess
import time
from pathlib import Path
from statistics import median

from .measuring import Answer, Failed, scratch, short, timed

TITLE = "An idle host"
CONVERTERS = 20
GIVES_UP_AFTER_S = 60

WORKER = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"], "status": "success", "report": {"result": "PASS"}}), flush=True)
"""

CONVERTER = """
[[converter]]
name = "{name}"
mode = "worker"
command = ["python3", "-I", "-S", "worker.py"]
bundle = ["worker.py"]
environment = "Python"
watch_folder = "{name}"
archive_enabled = true
post_process = "delete"
settle_s = 0
sandbox = "off"
"""


def tasks(pid):
    """Returns nanoseconds of processor time and voluntary switches of each thread of a process
    and its children.
    """
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            ran = int((task / "schedstat").read_text().split()[0])
            lines = (task / "status").read_text().splitlines()
            children = (task / "children").read_text().split()
        except FileNotFoundError:  # It ended meanwhile.
            continue
        slept = next(
            int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches")
        )
        found[task.name] = (ran, slept)
        for child in children:
            try:
                found.update(tasks(child))
            except FileNotFoundError:
                continue
    return found


def look(pid, watch_s):
    """Watches for some seconds.

    Returns the percentage of a core, wake-ups a second, and how many threads there are.
    """
    before, began = tasks(pid), time.monotonic()
    time.sleep(watch_s)
    after, took = tasks(pid), time.monotonic() - began
    ran, slept = (
        sum(now[nth] - before.get(task, (0, 0))[nth] for task, now in after.items())
        for nth in (0, 1)
    )
    return 100 * ran / 1e9 / took, slept / took, len(after)


def answer(setup):
    answer = Answer(
        ["host", "threads, with those of its workers", "percent of a core", "wake-ups a second"]
    )
    watch_s, names = setup.pick(20, 4), [f"station-{nth:02}" for nth in range(CONVERTERS)]
    with scratch(setup.work / "idle") as root:
        for name in names:
            (root / name).mkdir()
        (root / "worker.py").write_text(WORKER)
        (root / "host.toml").write_text(
            '[store]\npath = "store"\n' + "".join(CONVERTER.format(name=name) for name in names)
        )
        timed([setup.annals, "init", "--no-key", root / "store"])
        with open(root / "said", "wb") as said:
            host = subprocess.Popen(
                [setup.annals, "host", "run", "host.toml"], cwd=root, stdout=said, stderr=said
            )
        try:
            # Each converter works once, so that its worker runs as it does in the evening of a day.
            for name in names:
                (root / "half").write_text(f"serial,{name}\n")
                os.rename(root / "half", root / name / "first.csv")
            gives_up = time.monotonic() + GIVES_UP_AFTER_S
            while any((root / name / "first.csv").exists() for name in names):
                if time.monotonic() > gives_up or host.poll() is not None:
                    raise Failed(
                        f"the host did not take its files: {(root / 'said').read_text()[-500:]}"
                    )
                time.sleep(0.05)
            time.sleep(setup.pick(10, 3))
            looks = [look(host.pid, watch_s) for _ in range(setup.rounds)]
        finally:
            host.terminate()
            host.wait(GIVES_UP_AFTER_S)
        held = timed(
            [setup.annals, "-s", root / "store", "--json", "list", "--status", "success"]
        ).said
        if held.count('"station-') < CONVERTERS:
            raise Failed("the host did not convert every file")
    percent, wakes, threads = (median(values) for values in zip(*looks))
    answer.row(f"{CONVERTERS} converters, idle", threads, f"{percent:.3f}", short(wakes))
    answer.at_most(f"idle host with {CONVERTERS} converters, percent of a core", percent, 0.1)
    answer.at_most(f"idle host with {CONVERTERS} converters, wake-ups a second", wakes, 10)
    answer.notes.append(
        f"Default settings; each converter is a worker that has converted one file. Processor time and voluntary context switches of "
        f"all threads of the host and its children over {watch_s} s."
    )
    return answer
