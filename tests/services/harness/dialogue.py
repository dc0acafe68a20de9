"""A conversation with a program: say something, wait until it answers."""

import os
import select
import signal
import subprocess
import time


class Dialogue:
    def __init__(self, words, log):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.log = log
        self.heard = ""  # all of it
        self.at = 0      # what was waited for ends here

    def say(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def hear(self, text, seconds=30):
        """Waits for this text behind what was waited for before."""
        deadline = time.monotonic() + seconds
        while text not in self.heard[self.at:]:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"{text!r} was not said within {seconds} s: {self.tail()}")
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                raise AssertionError(f"the end, before {text!r} was said: {self.tail()}")
            self.heard += part.decode(errors="replace")
        self.at = self.heard.index(text, self.at) + len(text)

    def tail(self):
        return repr(self.heard[-600:])

    def end(self):
        """Its exit status; it has been told to end, or is ended."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
        self.process.stdout.close()
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(self.heard)
        return self.process.returncode
