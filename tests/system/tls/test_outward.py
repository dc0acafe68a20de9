"""What leaves as TLS (--tls-out): servers that are good, and those that are not.

    guest: curl http://out.test:20443/ -- in the clear -- haven -- TLS == hvt-out: openssl s_server
"""

import re
import time

from support.runner import expect, expect_equal, expect_in, expect_match, test
from support.topology import OUT, OUT4, OUT6, wait_listening

from .support.place import authority

GOOD, OTHER_NAME, EXPIRED, UNKNOWN, CLEAR = 20443, 20444, 20445, 20446, 20447
STARTED = []


def servers(haven):
    """Of all tests of a run: a good one, one with another name, an expired one, one that nobody knows."""
    made, other = authority(haven), authority(haven, "other")
    if STARTED:
        return made
    for port, cert, key in ((GOOD, made.file("out"), made.key("out")),
                            (OTHER_NAME, made.file("b"), made.key("b")),
                            (EXPIRED, made.file("old"), made.key("old")),
                            (UNKNOWN, other.file("out"), other.key("out"))):
        STARTED.append(haven.topology.start(
            OUT, "openssl", "s_server", "-quiet", "-accept", str(port), "-www", "-cert", cert,
            "-key", key))
    STARTED.append(haven.topology.start(OUT, "python3", "-m", "http.server", str(CLEAR)))
    wait_listening(OUT, GOOD, OTHER_NAME, EXPIRED, UNKNOWN, CLEAR)
    return made


def tls_out(made, *targets):
    return [word for target in targets for word in ("--tls-out", target)] + [
        "--tls-out-ca", made.file("ca")]


@test(smoke=True)
def a_good_server(haven):
    made = servers(haven)
    result = haven.run(*tls_out(made, f"out.test:{GOOD}", f"{OUT4}:{GOOD}", f"[{OUT6}]:{GOOD}"), "--",
                       "sh", "-c", f"curl -sS -4 http://out.test:{GOOD}/ && "
                       f"curl -sS -6 http://out.test:{GOOD}/ && curl -sS http://{OUT4}:{GOOD}/ && "
                       f"curl -sS 'http://[{OUT6}]:{GOOD}/'")
    expect_equal(result.status, 0, f"curl: {result.err}")
    expect_equal(result.out.count("Cipher is TLS_AES_256_GCM_SHA384"), 4, "the server saw TLS")


@test(identities=("user",))
def bad_servers_are_refused(haven):
    made = servers(haven)
    for port, line in ((OTHER_NAME, "certificate is for b.test, *.b.test; asked for out.test"),
                       (EXPIRED, "certificate of 'old' has expired on "),
                       (UNKNOWN, "issuer 'Another authority' of 'out' is not known"),
                       (CLEAR, "the peer does not speak TLS: ")):
        result = haven.run("-4", *tls_out(made, f"out.test:{port}"), "--", "bash", "-c",
                           f"getent ahostsv4 out.test; exec 3<>/dev/tcp/{OUT4}/{port}")
        expect_in("Connection refused", result.err, "what the guest's connect says")
        expect_match(rf"haven: warning: TLS to out.test at {OUT4}:{port}: {re.escape(line)}",
                     result.err, "the line")


@test(identities=("user",), links=("tap",))
def without_an_authority_of_ours(haven):
    servers(haven)
    result = haven.run("-4", "--tls-out", f"out.test:{GOOD}", "--", "curl", "-sS",
                       f"http://out.test:{GOOD}/")
    expect_equal(result.status, 7, f"the system does not trust it: {result.err}")
    expect_in("issuer 'Test authority' of 'out' is not known", result.err, "the line")


@test(identities=("user",), links=("tap",))
def other_destinations_stay_in_the_clear(haven):
    made = servers(haven)
    result = haven.run("-4", *tls_out(made, f"out.test:{GOOD}"), "--", "sh", "-c",
                       f"curl -sS -o /dev/null http://out.test:{CLEAR}/ && "
                       f"curl -sSk https://{OUT4}:{OTHER_NAME}/ | grep -c Cipher")
    expect_equal(result.status, 0, result.err)


@test(identities=("user",), links=("tap",))
def together_with_rules_by_name(haven):
    made = servers(haven)
    result = haven.run("-4", *tls_out(made, f"out.test:{GOOD}"), "--allow", f"out out.test:{GOOD}",
                       "--", "sh", "-c", f"curl -sS http://out.test:{GOOD}/; "
                       f"curl -sS -H 'Host: evil.test' http://out.test:{GOOD}/")
    expect_equal(result.out.count("Cipher is TLS_AES_256_GCM_SHA384"), 1, f"the one: {result.err}")
    expect_match(rf"haven: refused: tcp out to evil.test \({OUT4}\) port {GOOD}", result.err,
                 "the other")


@test(identities=("user",), links=("tap",))
def a_server_that_stalls(haven):
    haven.topology.start(OUT, "socat", "TCP-LISTEN:20448,fork,reuseaddr", "EXEC:sleep 60")
    wait_listening(OUT, 20448)
    started = time.monotonic()
    result = haven.run("-4", "--tls-out", f"{OUT4}:20448", "--", "curl", "-sS",
                       f"http://{OUT4}:20448/")
    expect_equal(result.status, 7, f"refused: {result.err}")
    expect_in("the handshake was not complete after 10 s: the peer said nothing", result.err, "why")
    expect(time.monotonic() - started < 25, "in its time")


@test(identities=("user",), links=("veth",))
def wrong_options_are_told(haven):
    for options, line in (
            (["--tls-out", "out.test"], "the port is missing"),
            (["--tls-out", ":443"], "the host is neither a name nor an address"),
            (["--tls-out", "out.test:htps"], "no TCP service is called 'htps'; did you mean"),
            (["--tls-out", "out.test:0"], "--tls-out 'out.test:0'"),
            (["--tls-out", "fd77::2:443"], "the host is neither a name nor an address"),
            (["--tls-out", "*.out.test:443"], "the host is neither a name nor an address"),
            (["--tls-out-ca", "/etc/hostname"], "--tls-out, which is not there"),
            (["--tls-out", "a:443", "--tls-out-ca", "/etc/hostname"], "there is no certificate"),
            (["--tls-out", "a:443", "--dns", "none"], "--dns none turns off")):
        result = haven.run(*options, "--", "true")
        expect_equal(result.status, 125, f"exit status of {options}: {result.err}")
        expect_in(line, result.err, f"what {options} says")
