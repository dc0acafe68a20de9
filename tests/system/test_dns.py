"""DNS in haven: answers that are kept, questions that are one, TCP, names of haven's own.

    guest: dig, ask_dns.py -- haven == veth == hvt-out: count_dns.py at 10.77.0.53, in place of dnsmasq
"""

import os
import subprocess

from support.haven import eventually
from support.runner import expect, expect_equal, expect_match, test
from support.topology import HOST, HOST4, OUT, SUPPORT, command, inside

COUNTER = "10.77.0.53"
GATEWAY_DNS = "10.0.2.3"


class Counter:
    """A resolver that writes down what it is asked, and is the only one of hvt-host for a while."""

    def __init__(self, haven):
        self.path = f"{haven.topology.directory}/asked-{haven.identity}-{os.urandom(4).hex()}"
        self.conf = f"/etc/netns/{HOST}/resolv.conf"

    def __enter__(self):
        command(*inside(OUT, "ip", "address", "add", f"{COUNTER}/24", "dev", "host0"))
        self.process = self.start()
        eventually(lambda: command(*inside(OUT, "ss", "-Hltn", f"src {COUNTER}")).stdout,
                   "the counting resolver listens")
        with open(self.conf, encoding="ascii") as file:
            self.before = file.read()
        self.write(f"nameserver {COUNTER}\n")
        return self

    def start(self):
        return subprocess.Popen(inside(OUT, "python3", f"{SUPPORT}/count_dns.py", COUNTER, self.path),
                                stdin=subprocess.DEVNULL)

    def __exit__(self, *_):
        self.write(self.before)
        self.process.terminate()
        self.process.wait(10)
        command(*inside(OUT, "ip", "address", "del", f"{COUNTER}/24", "dev", "host0"))

    def write(self, text):
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(text)

    def asked(self, name):
        with open(self.path, encoding="ascii") as file:
            return sum(line.split()[0] == name for line in file)


@test(identities=("user",), links=("tap",))
def answers_are_kept(haven):
    with Counter(haven) as counter:
        script = "; ".join(["dig +short a.count.test", "dig +short A.Count.Test", "dig +short +tcp a.count.test",
                            "dig +short a.zero.test", "dig +short a.zero.test",
                            "dig none.test | grep -c NXDOMAIN", "dig none.test | grep -c NXDOMAIN",
                            "dig a.count.test | grep -c 'a.count.test.\\s*60'"])
        result = haven.run("--", "sh", "-c", script)
        lines = result.out.split()
        expect_equal(lines[:5], ["10.77.0.2"] * 5, f"answers: {result.err}")
        expect_equal(lines[5:7], ["1", "1"], "no such name")
        expect_equal(counter.asked("a.count.test"), 1, "times that a name was asked for")
        expect_equal(counter.asked("a.zero.test"), 2, "times for one that does not hold")
        expect_equal(counter.asked("none.test"), 1, "times for one that is none")


@test(identities=("user",), links=("tap",))
def equal_questions_are_one(haven):
    with Counter(haven) as counter:
        result = haven.run("--", "python3", f"{SUPPORT}/ask_dns.py", "udp", GATEWAY_DNS, "40", "one.count.test")
        expect_equal(result.out, "40\n", f"answers: {result.err}")
        expect(1 <= counter.asked("one.count.test") <= 2, "asked once, or once more before the first answer")


@test(links=("tap",))
def many_questions_on_one_connection(haven):
    with Counter(haven) as counter:
        result = haven.run("--", "python3", f"{SUPPORT}/ask_dns.py", "tcp", GATEWAY_DNS, "10", "n%d.count.test")
        expect_equal(result.out, "10\n", f"answers: {result.err}")
        expect_equal(sum(counter.asked(f"n{i}.count.test") for i in range(10)), 10, "asked")


@test(identities=("user",), links=("tap",))
def a_large_answer_comes_by_tcp(haven):
    with Counter(haven) as counter:
        result = haven.run("--", "sh", "-c", "dig big1.test TXT; dig big1.test TXT")
        expect_equal(result.out.count("x" * 255), 2 * 78, f"strings of the answer: {result.err}")
        expect_match(r"Truncated, retrying in TCP", result.out, "dig")
        expect(counter.asked("big1.test") >= 2, "over UDP, then over TCP")


@test(links=("tap",))
def the_host_has_a_name(haven):
    result = haven.run("--host-name", "box.test=192.0.2.77", "--", "sh", "-c",
                       "dig +short host.haven; dig +short box.test; dig other.haven | grep -c NXDOMAIN")
    expect_equal(result.out, f"{HOST4}\n192.0.2.77\n1\n", "own names")
    result = haven.run("--host-loopback", "10.0.2.2", "--", "dig", "+short", "host.haven")
    expect_equal(result.out, "10.0.2.2\n", "host.haven with --host-loopback")
