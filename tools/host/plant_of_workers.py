"""What `idle` and `reprocess` share: workers that do nothing, and files for them."""

import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GIVES_UP_AFTER_S = 30

# Answers by a line of text, so that the converter's own time is as short as a Python program's can
# be.
WORKER = """
import sys
for line in sys.stdin:
    number = line[line.index('"id":') + 5:].split(",", 1)[0]
    sys.stdout.write('{"id":%s,"status":"success","report":{"sn":1}}\\n' % number)
    sys.stdout.flush()
"""

CONVERTER = """
[[converter]]
name = "{name}"
mode = "worker"
command = ["python3", "-I", "-S", "nothing.py"]
bundle = ["nothing.py"]
environment = "Python"
watch_folder = "{name}"
archive_enabled = {archives}
post_process = "delete"
settle_s = 0
sandbox = "off"
"""


def built():
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--bin", "annals"], cwd=ROOT, check=True
    )
    return os.path.join(
        os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "release", "annals"
    )


def drop(root, folder, name, data):
    """Drops one file and returns how long it took until it was gone."""
    made, path = os.path.join(root, "made"), os.path.join(root, folder, name)
    with open(made, "wb") as file:
        file.write(data)
    began = time.monotonic()
    os.rename(made, path)
    while os.path.exists(path):
        if time.monotonic() - began > GIVES_UP_AFTER_S:
            sys.exit("{} was not taken".format(name))
        time.sleep(0.001)
    return time.monotonic() - began
