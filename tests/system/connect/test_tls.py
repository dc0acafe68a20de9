"""From a URL to bytes over TLS, and each way in which that must be refused.

    hvt-host: haven connect - https://out.test:PORT/ == veth == hvt-out: nginx and others, DNS
"""

from support.runner import expect, expect_equal, expect_in, expect_match, test

from .support.client import connect
from .support.servers import servers


def fetch(haven, port, *options):
    ca = servers(haven.topology).ca
    return connect(haven, "-", f"https://out.test:{port}/", *options, "--ca", ca)


@test(links=("veth",), smoke=True)
def a_good_one_is_explained(haven):
    """Every step of the way, in order, with figures that were seen."""
    result = fetch(haven, 4430, "--json")
    expect_equal((result.status, result.out), (0, b"good\n"), f"the page: {result.err}")
    steps = [step["step"] for step in result.steps]
    wanted = ["scheme", "target", "dns-question", "dns-answer", "addresses", "port", "syn", "host",
              "syn-ack", "ack", "tls-begin", "tls", "certificate", "checks", "request", "status",
              "body", "client-end", "host-end"]
    # The ends come in the order in which they came: nginx, which has closed already, may answer our close_notify by a reset.
    expect_equal([step for step in dict.fromkeys(steps) if step not in ("fin", "rst")], wanted, "the steps")
    expect("fin" in steps, "who ends first")
    times = [step["at_ms"] for step in result.steps]
    expect_equal(times, sorted(times), "they are in the order of time")

    expect_equal(result.step("scheme")["service"], "https", "the scheme's service")
    expect_in("4430, in the user range", result.step("target")["text"], "the port's range")
    questions = {step["type"]: step for step in result.steps if step["step"] == "dns-question"}
    expect_equal(sorted(questions), ["A", "AAAA"], "questions")
    expect(questions["A"]["port"] != questions["AAAA"]["port"], "each from a port of its own")
    expect_equal(result.step("addresses")["addresses"], ["fd77::2", "10.77.0.2"], "IPv6 first")
    port = result.step("port")["port"]
    expect(32768 <= port <= 60999, f"an ephemeral port: {port}")
    syn, syn_ack, ack = (result.step(name) for name in ("syn", "syn-ack", "ack"))
    expect_equal(syn["source"], f"[fd68:6176:656e::2]:{port}", "the SYN is from there")
    expect_equal(syn_ack["ack"], (syn["seq"] + 1) % 2**32, "the SYN-ACK answers it")
    expect_equal(ack["ack"], (syn_ack["seq"] + 1) % 2**32, "and the ACK that")
    expect_match(r"^\[fd77::1\]:\d+$", result.step("host")["local"], "the kernel's own connection")
    expect_equal(result.step("tls")["version"], "TLSv1.3", "version")
    certificates = [step for step in result.steps if step["step"] == "certificate"]
    expect_equal([(one["subject"], one["issuer"]) for one in certificates],
                 [("CN=out.test", "CN=Test Intermediate"), ("CN=Test Intermediate", "CN=Test Root")],
                 "the chain as it was sent")
    expect(result.step("checks")["verified"], "verified")
    expect_equal(result.step("status")["status"], 200, "the status")
    expect_equal(result.step("body")["bytes"], 5, "the body")


REFUSED = {
    "expired": (4431, "TLS: certificate of 'out.test' has expired on "),
    "not yet valid": (4432, "TLS: certificate of 'out.test' is not valid before "),
    "wrong name": (4433, "TLS: certificate is for other.test; asked for out.test"),
    "unknown issuer": (4434, "TLS: issuer 'Somebody Else' of 'Test Intermediate' is not known"),
    "self-signed": (4435, "TLS: certificate of 'out.test' is self-signed, and not among the trusted"),
    "man in the middle": (4436, "TLS: certificate of 'Test Intermediate' is not signed by the key of 'Test Root': "
                                "it was changed, or somebody is in the middle"),
    "impostor": (4438, "TLS: issuer 'Test Root' of 'Test Intermediate' has the name of one that is trusted, and "
                       "another key: it was made anew, or somebody is in the middle"),
    "TLS 1.1 alone": (4437, "TLS: the peer speaks none of TLS 1.2 to TLS 1.3"),
    "cut without close_notify": (8443, "of which 500 of 1000 bytes have come: TLS: the peer ended without close_notify"),
    "cut orderly": (8444, "of which 500 of 1000 bytes have come: its body was cut short"),
}


@test(links=("veth",))
def each_bad_one_has_its_line(haven):
    for what, (port, part) in REFUSED.items():
        result = fetch(haven, port)
        expect_equal(result.status, 1, f"{what}: {result.err}")
        expect_equal(len(result.err.strip().split("\n")), 1, f"{what}: one line: {result.err}")
        expect_in(f"error: out.test:{port}: ", result.line, what)
        expect_in(part, result.line, what)


@test(identities=("user",), links=("veth",))
def without_trust_and_without_checks(haven):
    result = connect(haven, "-", "https://out.test:4430/")
    expect_equal(result.status, 1, "the test's authority is not one of the system's")
    expect_in("is not known", result.line, "and that is said")
    result = connect(haven, "--insecure", "--json", "-", "https://out.test:4433/")
    expect_equal((result.status, result.out), (0, b"other\n"), result.err)
    expect_in("warning: --insecure: whoever is on the path", result.err, "it is loud")
    expect(not result.step("checks")["verified"], "and nothing claims that it was checked")
    expect_in("is not known", result.step("checks")["finding"], "what would have failed is told")


@test(identities=("user",), links=("veth",))
def tls_alone(haven):
    """tls:HOST:PORT, with ALPN, TLS 1.2, a key log, and a client's certificate."""
    files = servers(haven.topology)
    log = f"{haven.topology.directory}/keys-{haven.identity}"
    result = connect(haven, "--ca", files.ca, "--alpn", "nonsense,echo", "--key-log", log, "--json", "-4",
                     "--cert", f"{files.directory}/good.pem", "--key", f"{files.directory}/good.key",
                     "-", "tls:out.test:8445", data=b"over TLS\n")
    expect_equal((result.status, result.out), (0, b"over TLS\n"), result.err)
    expect_equal((result.step("tls")["alpn"], result.step("tls")["version"]), ("echo", "TLSv1.2"),
                 "what was agreed")
    with open(log, encoding="ascii") as file:
        expect_in("CLIENT_RANDOM ", file.read(), "the key log")
    result = connect(haven, "--ca", files.ca, "-", "tls:out.test:8443", data=b"\r\n\r\n")
    expect_equal((result.status, result.out[-3:]), (1, b"xxx"), "cut short")
    expect_in("out.test:8443: TLS: the peer ended without close_notify", result.line, "its line")
    result = connect(haven, "--ca", "/nonexistent", "-", "tls:out.test:8445")
    expect_equal(result.status, 125, "a file that is not there")
    expect_in("--ca: cannot read '/nonexistent'", result.line, "is named")
