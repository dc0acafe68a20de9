"""`haven connect -` and `haven listen` as the tests run them: in hvt-host, with the test's identity."""

import json
import subprocess

from support.topology import HOST


class Result:
    def __init__(self, status, out, err):
        self.status, self.out = status, out
        self.err = err.decode(errors="replace")

    @property
    def line(self):
        """The last line of standard error, without "haven: "."""
        lines = self.err.strip().split("\n")
        return lines[-1].removeprefix("haven: ")

    @property
    def steps(self):
        """Of --json: the objects, in order."""
        return [json.loads(line) for line in self.err.split("\n") if line.startswith("{")]

    def step(self, name):
        found = [step for step in self.steps if step["step"] == name]
        if not found:
            raise AssertionError(f"no step '{name}' in {[step['step'] for step in self.steps]}")
        return found[0]


def run(haven, words, data=b"", seconds=60, namespace=HOST):
    """Any command in hvt-host; bytes in and out."""
    process = subprocess.Popen(haven.words(*words, namespace=namespace), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    haven.processes.append(process)
    try:
        out, err = process.communicate(data, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        process.kill()
        process.communicate()
        raise AssertionError(f"not done after {seconds} s: {words}") from late
    return Result(process.returncode, out, err)


def connect(haven, *words, data=b"", seconds=60):
    return run(haven, [haven.binary, "connect", *words], data, seconds)


def start_listen(haven, *words, **options):
    process = subprocess.Popen(haven.words(haven.binary, "listen", *words),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    haven.processes.append(process)
    return process
