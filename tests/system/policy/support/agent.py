#!/usr/bin/env python3
"""agent.py: does inside of a network what a test says: a line of JSON in, a line of JSON out.

    {"run": [WORD...], "seconds": N}     runs it to its end: {"status", "out", "err"}; status null: no end in time
    {"start": [WORD...], "as": NAME}     starts it in the background: {}
    {"progress": NAME}                   what it has written: {"bytes", "status"}; status null: it runs
"""

import json
import os
import subprocess
import sys
import threading


class Running:
    def __init__(self, words):
        self.size = 0
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        threading.Thread(target=self.count, daemon=True).start()

    def count(self):
        while data := os.read(self.process.stdout.fileno(), 1 << 16):
            self.size += len(data)


def run(words, seconds):
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"status": None, "out": "", "err": "no end"}
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}


def main():
    running = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "run" in request:
            answer = run(request["run"], request["seconds"])
        elif "start" in request:
            running[request["as"]] = Running(request["start"])
            answer = {}
        else:
            one = running[request["progress"]]
            answer = {"bytes": one.size, "status": one.process.poll()}
        print(json.dumps(answer), flush=True)
    for one in running.values():
        one.process.kill()


main()
