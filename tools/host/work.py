"""The converter of the simulated plant: does what its source tells it, good or bad.

Its current folder is the plant. Each run is noted in `runs` before anything else, so that the
account can tell attempts that were recorded and never made.
"""

import hashlib
import json
import os
import sys
import time


def note(name, content):
    line = (
        json.dumps(
            {"sha256": hashlib.sha256(content).hexdigest(), "name": name, "pid": os.getpid()}
        )
        + "\n"
    )
    runs = os.open("runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(runs, line.encode())
    os.close(runs)


def first_time(entry, content):
    """True once for each entry, or each content where there is none."""
    name = str(entry) if entry else hashlib.sha256(content).hexdigest()
    try:
        os.close(os.open(os.path.join("waits", name), os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


def report(name, entry, content, told):
    source = hashlib.sha256(content).hexdigest()
    made = {
        "type": "T",
        "id": hashlib.sha256(
            "{}|{}|{}".format(name, entry, source).encode("utf-8", "replace")
        ).hexdigest()[:32],
        "pn": "PCB-7",
        "sn": told.get("serial", "?"),
        "rev": "A",
        "processCode": 10,
        "result": "P",
        "machineName": "plant",
        "start": "2026-03-01T08:30:00Z",
        "root": {
            "group": "M",
            "stepType": "SequenceCall",
            "name": "Main",
            "status": "P",
            "steps": [],
        },
        "source": source,
    }
    if "refuse" in told:
        del made["processCode"]
    return made


def convert(path, name, entry):
    """The answer, or a way not to give one."""
    with open(path, "rb") as source:
        content = source.read()
    note(name, content)
    told = dict(
        line.split(",", 1)
        for line in content.decode("utf-8", "replace").splitlines()
        if "," in line
    )
    what = told.get("do", "success")
    if what == "suspended":
        if first_time(entry, content):
            return {
                "status": "suspended",
                "error": "the limits are not there yet",
                "retry_after_s": 0.4,
            }
        what = "success"
    if what == "hang":
        time.sleep(3600)
    if what == "crash":
        os.kill(os.getpid(), 11)
    if what in ("babble", "silent"):
        return what
    answer = {"status": what, "serial": told.get("serial", "")}
    if what == "success":
        answer["report"] = report(name, entry, content, told)
    elif what != "skipped":
        answer["error"] = "the source says {}".format(what)
    return answer


def say(answer, number=None):
    if answer == "silent":
        return
    if answer == "babble":
        print("ready? <<<", flush=True)
        return
    if number is not None:
        answer["id"] = number
    print(json.dumps(answer), flush=True)


def main():
    if len(sys.argv) > 1:
        entry = os.environ.get("ANNALS_ENTRY") or None
        say(convert(sys.argv[1], os.environ["ANNALS_NAME"], entry))
        return
    for line in sys.stdin:
        request = json.loads(line)
        answer = convert(request["input"], request["name"], request.get("entry"))
        if answer == "silent":
            sys.exit(3)
        say(answer, request["id"])


main()
