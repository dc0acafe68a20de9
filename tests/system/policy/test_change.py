"""Rules that change while traffic flows, and rules that count.

    guest: curl (a download without end) -- haven -- hvt-host == hvt-out == hvt-web: nginx, 1 MB/s
                                              |
                                haven deny, allow, policy in hvt-host
"""

import json

from support.haven import eventually
from support.runner import expect, expect_equal, expect_match, test
from support.topology import FAR, FAR4, HOST, HOST4, OUT, OUT4, SUPPORT, WEB, command, inside
from support.topology import wait_listening

from .support.guest import Guest, curl, dial, rules, write_policy

SLOW = "https://good.test/slow"


def download(guest, name, url=SLOW):
    guest.start(name, "curl", "-sN", url)
    flows_on(guest, name)


def flows_on(guest, name):
    """More comes than is on its way: what is in buffers is less."""
    start, _ = guest.progress(name)
    eventually(lambda: guest.progress(name)[0] > start + 400_000, f"{name} flows", seconds=20)


def ends(guest, name):
    eventually(lambda: guest.progress(name)[1] is not None, f"{name} has ended", seconds=10)


def done(guest, *words):
    result = guest.command(*words)
    expect_equal((result.status, result.err), (0, ""), f"haven {' '.join(words)}")
    return result.out


@test(links=("tap",), smoke=True)
def deny_ends_what_runs(haven):
    with Guest(haven) as guest:
        download(guest, "one")
        download(guest, "two", "https://other.test/slow")
        done(guest, "deny", guest.name, "out good.test")
        ends(guest, "one")
        guest.tries([(curl("https://good.test/"), "refused"), (curl("https://other.test/"), "served")])
        flows_on(guest, "two")


@test(links=("tap",))
def keep_flows_spares_what_runs(haven):
    with Guest(haven, *rules("allow out good.test:https", "allow out other.test:https")) as guest:
        download(guest, "one")
        done(guest, "deny", "--keep-flows", guest.name, "out good.test")
        guest.tries([(curl("https://good.test/"), "refused"), (curl("https://other.test/"), "served")])
        flows_on(guest, "one")
        done(guest, "allow", guest.name, "out good.test:https")
        guest.tries([(curl("https://good.test/"), "served")])
        flows_on(guest, "one")


@test(identities=("user",), links=("tap",))
def rules_are_replaced_by_a_file(haven):
    first = write_policy(haven, "first", "allow out good.test", "allow out other.test")
    second = write_policy(haven, "second", "allow out other.test:https", f"allow out tcp {OUT4}:7")
    wrong = write_policy(haven, "second-wrong", "allow out other.test:https", "alow out https")
    with Guest(haven, "--policy", first) as guest:
        download(guest, "good")
        download(guest, "other", "https://other.test/slow")
        result = guest.command("policy", guest.name, wrong)
        expect_equal(result.status, 125, "a file with a fault")
        expect_match(rf"^haven: error: {wrong}:2:1: ", result.err, "where it is")
        guest.tries([(curl("https://good.test/"), "served")], "nothing has changed")
        flows_on(guest, "good")
        done(guest, "policy", guest.name, second)
        ends(guest, "good")
        flows_on(guest, "other")
        guest.tries([(curl("https://good.test/"), "refused"), (curl("https://other.test/"), "served"),
                     (dial("tcp", OUT4, 7), "served"), (dial("tcp", OUT4, 84), "refused")])
        done(guest, "policy", "--keep-flows", guest.name, first)
        guest.tries([(curl("https://good.test/"), "served"), (dial("tcp", OUT4, 7), "refused")])


@test(identities=("user",), links=("tap",))
def rules_come_and_go(haven):
    with Guest(haven, *rules(f"allow out tcp {OUT4}:7")) as guest:
        guest.tries([(dial("tcp", OUT4, 7), "served"), (dial("tcp", OUT4, 84), "refused")])
        done(guest, "allow", "--last", guest.name, f"out tcp {OUT4}:84")
        guest.tries([(dial("tcp", OUT4, 84), "served")])
        done(guest, "deny", "--last", guest.name, f"out tcp {OUT4}:84")
        guest.tries([(dial("tcp", OUT4, 84), "served")], "what stands first decides")
        done(guest, "deny", guest.name, f"out tcp {OUT4}:7")
        guest.tries([(dial("tcp", OUT4, 7), "refused")])
        shown = done(guest, "policy", guest.name)
        for number, text in enumerate((f"deny out tcp {OUT4}:7", f"allow out tcp {OUT4}:7",
                                       f"allow out tcp {OUT4}:84", f"deny out tcp {OUT4}:84"), 1):
            expect_match(rf"(?m)^ *{number} .*{text}", shown, "the list")
        done(guest, "policy", "--remove", "1", guest.name)
        guest.tries([(dial("tcp", OUT4, 7), "served"), (dial("tcp", OUT4, 84), "served")])
        for words in (("policy", "--remove", "9", guest.name), ("deny", guest.name, "out htpps"),
                      ("deny", "no-such-network", "out https")):
            result = guest.command(*words)
            expect_equal(result.status, 125, f"haven {' '.join(words)}")
            expect_match(r"^haven: error: .*\n$", result.err, "one line")


@test(identities=("user",), links=("tap",))
def max_holds_the_number_of_flows(haven):
    with Guest(haven, *rules(f"allow out tcp {OUT4}:7 max 2", f"allow out tcp {OUT4}:82")) as guest:
        answer = guest.run("/usr/bin/python3", f"{SUPPORT}/../policy/support/dial.py", "tcp", OUT4,
                           "7", "--count", "4", "--after-closing")
        expect_equal(answer["out"], "served served refused refused\nserved again\n",
                     f"of four, {answer['err']}, {guest.told()}")
        guest.tries([(dial("tcp", FAR4, 7), "refused")])
        expect_match(r"(?m)^haven: refused: tcp out to .* max 2", guest.told(), "the reason")


@test(identities=("user",), links=("tap",))
def limit_holds_the_rate_of_new_flows(haven):
    """A bucket of two, and half a minute until there is another."""
    limited = (f"allow out tcp {OUT4}:7 limit 2/min", f"allow out udp {OUT4}:7 limit 2/min",
               f"allow out tcp {OUT4}:84")
    with Guest(haven, *rules(*limited)) as guest:
        guest.tries([(dial(protocol, OUT4, 7), word) for protocol in ("tcp", "udp")
                     for word in ("served", "served", "refused")])
        guest.tries([(dial("tcp", OUT4, 84), "served")] * 4)
        expect_match(r"(?m)^haven: refused: tcp out to .* limit 2/min", guest.told(), "the reason")


def from_namespace(namespace, address, port, word):
    answer = command(*inside(namespace, "/usr/bin/python3",
                             f"{SUPPORT}/../policy/support/dial.py", "tcp", address, str(port)))
    expect_equal(answer.stdout, f"{word}\n", f"from {namespace} to {address} port {port}")


@test(smoke=True)
def who_may_come_in(haven):
    """hvt-out may, hvt-far and hvt-web may not; the last rule opens another port to all."""
    options = ("-p", "18084:18084", "-p", "18085:18085", "--name", "policy-in",
               *rules(f"allow in tcp :18084 from 10.77.0.0/24", "allow in :18085"))
    process = haven.start_publishing(18084, *options, "--", "python3", f"{SUPPORT}/listen_late.py",
                                     "18084", "18085")
    wait_listening(HOST, 18085)
    # The port is open on the host before the server inside is.
    eventually(lambda: command(*inside(OUT, "python3", f"{SUPPORT}/ask.py", "tcp", HOST4, "18084"),
                               check=False).stdout.startswith(OUT4), "it serves")
    for port, words in ((18084, ("served", "reset", "reset")), (18085, ("served",) * 3)):
        for namespace, word in zip((OUT, FAR, WEB), words):
            from_namespace(namespace, HOST4, port, word)
    result = haven.call(haven.binary, "deny", "policy-in", f"in from {OUT4}")
    expect_equal((result.status, result.err), (0, ""), "haven deny in")
    from_namespace(OUT, HOST4, 18084, "reset")
    from_namespace(OUT, HOST4, 18085, "reset")
    from_namespace(WEB, HOST4, 18085, "served")
    rows = [json.loads(line) for line in
            haven.call(haven.binary, "policy", "--json", "policy-in").out.splitlines()]
    expect(rows, "the rules")
    haven.stop(process)
