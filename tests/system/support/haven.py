"""haven as a test runs it: as root or as a user, over TAP or veth, in the namespace hvt-host."""

import os
import signal
import subprocess
import time

from .runner import Skip
from .topology import HOST, USER, command, inside, wait_listening


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Haven:
    def __init__(self, topology, identity, link):
        self.topology, self.identity, self.link = topology, identity, link
        self.binary = os.environ["HAVEN"]
        self.processes = []

    def words(self, *words, namespace=HOST):
        """The command line that runs `words` in the host namespace with our identity."""
        identity = []
        if self.identity == "user":
            identity = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups",
                        "--inh-caps=-all", "env", f"HOME=/home/{USER}"]
        return inside(namespace, *identity, *words)

    def haven(self, *options):
        if self.link == "tap" and not os.path.exists("/dev/net/tun"):
            raise Skip("no /dev/net/tun here")
        return self.words(self.binary, "run", "--link", self.link, *options)

    def run(self, *options, seconds=60, stdin=subprocess.DEVNULL, **more):
        """haven run with these options and command, to its end. Output as text."""
        return self.finish(self.haven(*options), seconds, stdin=stdin, **more)

    def call(self, *words, seconds=60):
        """Any command in the host namespace, with our identity."""
        return self.finish(self.words(*words), seconds, stdin=subprocess.DEVNULL)

    def finish(self, words, seconds, **options):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, errors="replace", **options)
        self.processes.append(process)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            self.stop(process)
            raise AssertionError(f"not done after {seconds} s: {' '.join(words)}") from late
        return Result(process.returncode, out, err)

    def start(self, *options, **more):
        """haven run in the background; the Popen. Ended with the test."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(self.haven(*options), text=True, errors="replace", **more)
        self.processes.append(process)
        return process

    def start_publishing(self, port, *options, **more):
        """The same, and waits until the published TCP port listens on the host."""
        more.setdefault("stderr", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.DEVNULL)
        process = self.start(*options, **more)
        wait_listening(HOST, port)
        return process

    def gateway(self, process):
        """The id of the haven process behind a Popen (ip netns exec and setpriv exec)."""
        return process.pid

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        for stream in (process.stdout, process.stderr):
            if stream and not stream.closed:
                stream.close()

    def end(self):
        for process in self.processes:
            self.stop(process)


def memory_kib(pid):
    """Resident memory of a process, KiB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Rss:"):
                return int(line.split()[1])
    raise AssertionError(f"no Rss of {pid}")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid):
    return command("pgrep", "-P", str(pid), check=False).stdout.split()


def eventually(condition, what, seconds=10):
    """Waits until condition() is true; the deadline only bounds a failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.02)
