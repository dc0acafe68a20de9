"""What goes wrong outside reaches the guest as what it is.

    guest -- haven -- hvt-host == veth == hvt-out: closed, silent, resetting, half-closing ports
"""

import subprocess

from support.haven import eventually
from support.runner import expect, expect_equal, expect_in, expect_match, test
from support.topology import (HOST4, NO_ROUTE4, OUT4, OUT6, SILENT4, SUPPORT, UNREACHABLE4,
                              UNREACHABLE6)


def probe(haven, *words, options=(), seconds=30):
    """Runs support/connect.py in the guest: one line about what connect and read gave."""
    result = haven.run(*options, "--", "python3", f"{SUPPORT}/connect.py", *words,
                       seconds=seconds)
    return (result.out + result.err).strip()


@test(smoke=True)
def closed_port_is_refused_at_once(haven):
    for address in (OUT4, OUT6):
        answer = probe(haven, address, "9")
        found = expect_match(r"^connect: ECONNREFUSED after (\d+) ms$", answer, address)
        expect(int(found[1]) < 1000, f"at once: {answer}")


@test(smoke=True)
def no_route_is_unreachable(haven):
    for address in (NO_ROUTE4, UNREACHABLE4, UNREACHABLE6):
        answer = probe(haven, address, "80")
        found = expect_match(r"^connect: (EHOSTUNREACH|ENETUNREACH) after (\d+) ms$", answer,
                             address)
        expect(int(found[2]) < 3000, f"soon: {answer}")


@test()
def silence_stays_silence(haven):
    answer = probe(haven, SILENT4, "80", "--timeout", "4")
    expect_equal(answer, "connect: no answer in 4 s", "neither refused nor accepted")


@test(smoke=True)
def reset_is_a_reset(haven):
    answer = probe(haven, OUT4, "81", "--send", "x")
    expect_equal(answer, "read: ECONNRESET", "the server's reset")


@test(smoke=True)
def half_close_still_receives(haven):
    answer = probe(haven, OUT4, "82", "--send", "y" * 100000, "--half-close")
    expect_equal(answer, "read: 7 bytes, 100000", "what the server counted")


@test()
def server_that_closes_first(haven):
    answer = probe(haven, OUT4, "83", "--quiet")
    expect_equal(answer, "read: 100000 bytes", "all that it sent")


@test()
def loopback_of_the_host_is_out_of_reach(haven):
    listener = haven.words("python3", f"{SUPPORT}/listen_late.py", "21001")
    server = subprocess.Popen(listener, stdout=subprocess.DEVNULL)
    haven.processes.append(server)
    eventually(lambda: haven.call("python3", f"{SUPPORT}/ask.py", "tcp", "127.0.0.1",
                                  "21001").out, "it listens")
    expect_in("ECONNREFUSED", probe(haven, "10.0.2.2", "21001"), "at the gateway")
    expect_in("ECONNREFUSED", probe(haven, "127.0.0.1", "21001"), "at the guest's own loopback")
    told = probe(haven, "10.0.2.9", "21001", "--quiet-text",
                 options=("--host-loopback", "10.0.2.9"))
    expect_match(r"^127\.0\.0\.1 \d+$", told, "where an address is mapped to it")


@test()
def a_guest_that_gives_up_leaves_nothing(haven):
    """Connections to a silent host, given up; then the server side's view of a live one."""
    process = haven.start("--", "sh", "-c",
                          f"for i in 1 2 3 4 5 6 7 8 9 10; do python3 {SUPPORT}/connect.py "
                          f"{SILENT4} 80 --timeout 1 & done; wait; "
                          f"python3 {SUPPORT}/connect.py {OUT4} 84 --quiet-text; sleep 30")
    line = ""
    while "no answer" in line or not line:
        line = process.stdout.readline()
    expect_in(HOST4, line, "a connection after that works")
