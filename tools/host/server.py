"""A server that takes reports: checks what WSJF requires, knows keys, and misbehaves on purpose.

Everything it decides stands in its record, one line of JSON, before it answers; started again, it
knows what it took.
"""

import argparse
import hashlib
import http.server
import json
import os
import random
import socket
import sys
import threading
import time

REQUIRED = [
    "type",
    "id",
    "pn",
    "sn",
    "rev",
    "processCode",
    "result",
    "machineName",
    "start",
    "root",
]
TROUBLES = [("fails", 3), ("busy", 1), ("loses", 3), ("cuts", 2), ("sleeps", 1)]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port, record, mood, seed, broken):
        super().__init__(("127.0.0.1", port), Request)
        self.mood, self.broken = mood, broken
        self.draw = random.Random(seed)
        self.lock = threading.Lock()
        self.taken = {}
        if os.path.exists(record):
            with open(record, encoding="utf-8") as lines:
                for line in lines:
                    known = json.loads(line)
                    if known["verdict"] == "taken":
                        self.taken[known["key"]] = known["sha256"]
        self.record = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.takes = 0

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # Whoever asked was killed.
            super().handle_error(request, client_address)

    def note(self, **facts):
        os.write(self.record, (json.dumps(facts) + "\n").encode())

    def decide(self, key, body):
        """What is done with a report: the verdict, the words for a refusal, and the trouble
        made about it.
        """
        with self.lock:
            with open(self.mood, encoding="utf-8") as mood:
                mood = mood.read().strip()
            if self.broken == "keyless":
                key = "{:032x}".format(self.draw.getrandbits(128))
            digest = hashlib.sha256(body).hexdigest()
            report = json.loads(body)
            facts = {
                "key": key,
                "sha256": digest,
                "report": report.get("id"),
                "source": report.get("source"),
            }
            trouble = None
            # A trouble in about twenty requests.
            if mood == "bad" and self.draw.random() < 0.05:
                trouble = self.draw.choices(
                    [name for name, _ in TROUBLES], [weight for _, weight in TROUBLES]
                )[0]
            if trouble in ("fails", "busy"):
                self.note(verdict=trouble, **facts)
                return trouble, "", trouble
            missing = [name for name in REQUIRED if name not in report]
            if missing and mood != "lenient":
                words = "{} is required in {}".format(", ".join(missing), report.get("id"))
                self.note(verdict="refused", words=words, **facts)
                return "refused", words, None
            if key in self.taken:
                self.note(
                    verdict="again" if self.taken[key] == digest else "another under this key",
                    **facts,
                )
                return "again", "", trouble
            self.takes += 1
            # The first, too: a day has few reports, and the server is killed in between.
            if self.broken == "forgets" and self.takes % 2 == 1:
                return "taken", "", None
            self.taken[key] = digest
            self.note(verdict="taken", **facts)
            return "taken", "", trouble


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers.get("Idempotency-Key") or ""
        verdict, words, trouble = self.server.decide(key, body)
        if trouble == "loses":
            self.hang_up()
        elif trouble == "cuts":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n[{"
            )
            self.wfile.flush()
            self.hang_up()
        elif verdict == "fails":
            self.answer(500, {"error": "try later"})
        elif verdict == "busy":
            self.answer(429, {"error": "busy"}, {"Retry-After": "1"})
        elif verdict == "refused":
            self.answer(400, {"error": words})
        else:
            if trouble == "sleeps":
                time.sleep(2)
            self.answer(200, [{"ID": "S-" + key[:12]}])

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def answer(self, status, content, headers=None):
        content = json.dumps(content).encode()
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True  # Whoever asked did not wait.

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--record")
    parser.add_argument("--mood")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--broken")
    told = parser.parse_args()
    Server(told.port, told.record, told.mood, told.seed, told.broken).serve_forever()


main()
