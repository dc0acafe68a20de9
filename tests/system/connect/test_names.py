"""Names: DNS as packets through the gateway, over UDP, and over TCP where an answer is truncated.

    hvt-host: haven connect - NAME:PORT == veth == hvt-out: truncating_dns.py at 10.77.0.54, in place of dnsmasq
"""

import os
import subprocess

from support.haven import eventually
from support.runner import expect, expect_equal, expect_in, test
from support.topology import HOST, OUT, command, inside

from .support.client import connect

RESOLVER = "10.77.0.54"
CONF = f"/etc/netns/{HOST}/resolv.conf"
HERE = os.path.dirname(os.path.abspath(__file__))


class Truncating:
    """The only resolver of hvt-host for a while."""

    def __enter__(self):
        command(*inside(OUT, "ip", "address", "add", f"{RESOLVER}/24", "dev", "host0"))
        self.process = subprocess.Popen(
            inside(OUT, "python3", f"{HERE}/support/truncating_dns.py", RESOLVER),
            stdin=subprocess.DEVNULL)
        eventually(lambda: command(*inside(OUT, "ss", "-Hltn", f"src {RESOLVER}")).stdout,
                   "the resolver listens")
        with open(CONF, encoding="ascii") as file:
            self.before = file.read()
        self.write(f"nameserver {RESOLVER}\n")
        return self

    def __exit__(self, *_):
        self.write(self.before)
        self.process.terminate()
        self.process.wait(10)
        command(*inside(OUT, "ip", "address", "del", f"{RESOLVER}/24", "dev", "host0"))

    def write(self, text):
        with open(CONF, "w", encoding="ascii") as file:
            file.write(text)


@test(links=("veth",))
def by_tcp_where_it_is_truncated(haven):
    with Truncating():
        result = connect(haven, "--json", "-", "long.test:7", data=b"found")
        expect_equal((result.status, result.out), (0, b"found"), result.err)
        transports = [step["transport"] for step in result.steps if step["step"] == "dns-question"]
        expect_equal(len([one for one in transports if one.startswith("TCP")]), 1, f"{transports}")
        expect(result.step("addresses")["addresses"][0] == "10.77.0.2", "the first address is tried first")
        result = connect(haven, "-", "other.test:7")
        expect_equal(result.status, 1, "the resolver fails")
        expect_in("DNS could not answer about 'other.test': SERVFAIL", result.line, "its line")


@test(identities=("user",), links=("veth",))
def aliases_are_followed(haven):
    result = connect(haven, "--json", "-", "chain.test:1")
    expect_equal(result.status, 1, result.err)
    answers = [step["text"] for step in result.steps if step["step"] == "dns-answer"]
    expect(any("'chain.test' is an alias of 'alias.test', 'alias.test' is an alias of 'good.test', 10.82.0.2 for 1 s"
               in text for text in answers), f"the chain is told: {answers}")
    expect_in("chain.test:1: connection refused", result.line, "and its end tried")


@test(identities=("root",), links=("veth",))
def the_hosts_file_comes_first(haven):
    path = f"{haven.topology.directory}/hosts-file"
    with open(path, "w", encoding="ascii") as file:
        file.write("10.77.0.2 shop.test shop\n")
    words = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', path, haven.binary, "connect",
             "--json", "-", "Shop:84"]
    done = subprocess.run(inside(HOST, *words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20, check=False)
    expect_equal(done.returncode, 0, done.stderr)
    expect(done.stdout.startswith("10.77.0.1 "), f"it came there: {done.stdout}")
    expect("dns-question" not in done.stderr, "without DNS")
