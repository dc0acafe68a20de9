"""Ways around a policy that others have had. None of them may work; that each is able to is shown without rules first.

    guest: the attacker -- haven --allow 'out good.test:https' -- hvt-host == hvt-out (DNS) == hvt-web
                                                                 |
                                                     a server of the host itself
"""

import os

from support.haven import eventually
from support.runner import Skip, expect, expect_equal, expect_match, test
from support.topology import FAR4, FAR6, HOST, HOST4, HOST6, OUT4, OUT6, SUPPORT, WEB4, WEB6
from support.topology import wait_listening

from .support.guest import Guest, bypass, curl, dial, dig, ping, program, quic, rules
from .support.servers import servers

GOOD = ("allow out good.test:https",)
OTHER4 = "10.82.0.3"
USER = {"identities": ("user",), "links": ("tap",)}


def knowing_good(haven, lines, table, *options):
    """The same as bypass(), but good.test has been looked up before, so that its address is open."""
    return bypass(haven, [*rules(*lines), *options], [(curl("https://good.test/"), "served"), *table])


@test(links=("tap",))
def a_literal_address(haven):
    bypass(haven, rules(*GOOD), [
        (curl(f"https://{WEB4}/", "-k"), "refused"),
        (program("tls", WEB4, 443, "good.test"), "refused"),  # no answer has said so
        (curl(f"https://[{WEB6}]/", "-k"), "refused"),
        (dial("tcp", OUT4, 7), "refused"),
        (dial("udp", FAR4, 7), "refused"),
    ])
    knowing_good(haven, GOOD, [
        (curl(f"https://{WEB4}/", "-k"), "reset"),  # without a server name
        (curl(f"https://{OTHER4}/", "-k"), "refused"),
        (curl(f"https://[{WEB6}]/", "-k"), "refused"),
    ])


@test(links=("tap",))
def another_resolver(haven):
    """Its answers would bind no name; and what it is asked can carry anything."""
    table = [(dig("good.test", f"@{server}", *option), "refused")
             for server in (OUT4, OUT6) for option in ((), ("+tcp",))]
    own = [(dig("good.test"), "served")]
    bypass(haven, rules(*GOOD), table + own)
    # A rule without a port does not mean DNS, while names stand; one with the port does.
    bypass(haven, rules(*GOOD, f"allow out {OUT4}", f"allow out {OUT6}"),
           table + own + [(dial("udp", OUT4, 7), "served")])
    bypass(haven, rules(*GOOD, f"allow out {OUT4}:53"),
           [(dig("good.test", f"@{OUT4}"), "served"), (dig("good.test", f"@{OUT4}", "+tcp"), "served"),
            (dig("good.test", f"@{OUT6}"), "refused"), *own])


def tls_at(port, name):
    return program("tls", WEB4, port, name, "--crafted", "plain")


@test(**USER)
def dns_over_tls(haven):
    table = [(tls_at(853, "good.test"), "refused")]
    knowing_good(haven, GOOD, table)
    knowing_good(haven, ("allow out good.test", f"allow out {WEB4}"), table)
    knowing_good(haven, (*GOOD, "allow out good.test:853"), [(tls_at(853, "good.test"), "served")])


@test(links=("tap",))
def another_server_name(haven):
    told = knowing_good(haven, GOOD, [
        (program("tls", WEB4, 443, "evil.test"), "reset"),
        (program("tls", WEB4, 443, "www.wild.test"), "reset"),
        (program("tls", WEB4, 443, "evil.test", "--crafted", "dot"), "reset"),
        (program("tls", WEB4, 443, "evil.test", "--crafted", "two"), "reset"),
        (program("tls", WEB4, 443, "evil.test", "--crafted", "ascii-nul"), "reset"),
        (curl("https://evil.test/", "--connect-to", f"::{WEB4}:443", "--tlsv1.3"), "reset"),
        (curl("https://evil.test/", "--connect-to", f"::{WEB4}:443", "--tls-max", "1.2"), "reset"),
    ])
    expect_match(r"(?m)^haven: refused: tcp out to evil\.test \(10\.82\.0\.2\) port 443 ", told, "told")


@test(**USER)
def a_server_name_in_pieces(haven):
    knowing_good(haven, GOOD, [
        (program("tls", WEB4, 443, "evil.test", "--segments", 1), "reset"),
        (program("tls", WEB4, 443, "evil.test", "--records", 1), "reset"),
        (program("tls", WEB4, 443, "evil.test", "--records", 50, "--segments", 1), "reset"),
        (program("tls", WEB4, 443, "evil.test", "--crafted", "late", "--pad", 40000, "--records",
                 100), "reset"),
    ])


@test(**USER)
def a_hello_without_end(haven):
    """OpenSSL takes a ClientHello of up to 128 KiB; the name is behind what anybody would keep."""
    for name in ("evil.test", "good.test"):
        knowing_good(haven, GOOD, [
            (program("tls", WEB4, 443, name, "--crafted", "over-long", "--pad", 40000),
             "reset")])


@test(**USER)
def no_server_name(haven):
    knowing_good(haven, GOOD, [
        (program("tls", WEB4, 443, "-"), "reset"),
        (program("tls", WEB4, 443, "-", "--crafted", "plain"), "reset"),
        (program("tls", WEB4, 443, "-", "--crafted", "v2"), "reset"),
    ])
    # The same without names that are allowed, but with one that is denied at this address.
    with Guest(haven, *rules("deny out evil.test")) as guest:
        guest.tries([(dig("evil.test"), "served"), (dig("good.test"), "served"),
                     (program("tls", WEB4, 443, "-"), "reset"),
                     (program("tls", WEB4, 443, "-", "--crafted", "v2"), "reset"),
                     (curl("https://good.test/"), "served")])


def request(target, *fields, version="HTTP/1.1"):
    return "".join(f"{line}\\r\\n" for line in (f"GET {target} {version}", *fields, ""))


@test(links=("tap",))
def another_host_in_http(haven):
    web = servers(haven)
    good, evil, close = "Host: good.test", "Host: evil.test", "Connection: close"
    first = request("/", good)
    body = request("/hidden", evil)
    size = len(body.encode().decode("unicode_escape"))
    both = f"POST / HTTP/1.1\\r\\n{good}\\r\\nContent-Length: {size + 5}\\r\\n" \
        "Transfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n" + body
    run = os.urandom(4).hex()  # marks are of this run alone
    texts = {
        "alone": (request("/alone", evil, close),),
        "pipelined": (first + request("/pipelined", evil, close),),
        "second": (first, request("/second", evil, close)),
        "absolute": (request("http://evil.test/absolute", good, close),),
        "absolute-second": (first + request("http://evil.test/absolute-second", good, close),),
        "old": (request("/old", version="HTTP/1.0"),),
        "old-evil": (request("/old-evil", evil, version="HTTP/1.0"),),
        "folded": (request("/folded", "X: y\\r\\n Host: good.test", evil, close),),
        "bare": (request("/bare", evil, close).replace("\\r\\n", "\\n"),),
        "crlf-first": ("\\r\\n" + request("/crlf-first", evil, close),),
        "port": (request("/port", "Host: evil.test:443", close),),
    }
    texts = {mark: [part.replace(f"/{mark} ", f"/{mark}-{run} ") for part in text]
             for mark, text in texts.items()}
    table = [(program("raw", WEB4, 80, *text), "reset") for text in texts.values()]
    knowing_good(haven, ("allow out good.test:http,https",), table)
    for mark in texts:
        expect_equal(len(web.reached(f"/{mark}-{run}")), 1, f"times that nginx was asked for /{mark}")
    # nginx itself refuses these, or reads them otherwise: no request for /hidden may come.
    with Guest(haven, *rules("allow out good.test:http,https")) as guest:
        guest.tries([(curl("http://good.test/"), "served")])
        for text in (both, request("/hidden", good, evil, close),
                     request("/hidden", "Host : evil.test", close),
                     request("/hidden", "Host: good.test evil.test", close),
                     "PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n"):
            guest.run(*program("raw", WEB4, 80, text).words)
        guest.tries([(curl("http://good.test/"), "served")])
    expect_equal(web.reached("host=evil.test GET /hidden"), [], "smuggled requests")


@test(links=("tap",))
def mapped_addresses(haven):
    """::ffff:10.82.0.3: a socket's way to say 10.82.0.3; on the wire it means nothing."""
    knowing_good(haven, GOOD, [
        (program("tls", f"::ffff:{WEB4}", 443, "evil.test"), "reset"),
        (dial("tcp", f"::ffff:{OTHER4}", 443), "refused"),
        (dial("udp", f"::ffff:{OUT4}", 7), "refused"),
    ])
    with Guest(haven, "--root", *rules(f"allow out {WEB4}:443", f"allow out [{WEB6}]:443")) as guest:
        guest.tries([
            (program("packets", "syn", WEB6, 443), "served"),
            (program("packets", "syn", WEB4, 443), "served"),
        ])
        for address in (f"::ffff:{WEB4}", f"::ffff:{OTHER4}", f"::{OTHER4}"):
            word = guest.run(*program("packets", "syn", address, 443).words)["out"].strip()
            expect(word in ("refused", "silent"), f"{address}: {word}")


@test(links=("tap",))
def fragments(haven):
    """The ports are in the first fragment only, or come twice, or late."""
    lines = (f"allow out udp {OUT4}:7", f"allow out tcp {OUT4}:7", f"allow out udp [{OUT6}]:7")
    kinds = ("udp", "fragments", "backward")
    table = [(program("packets", kind, OUT4, 7), "served") for kind in kinds]
    table += [(program("packets", kind, OUT4, 84), "refused") for kind in kinds]
    table += [(program("packets", "tcp-fragments", OUT4, port), word)
              for port, word in ((7, "served"), (84, "refused"))]
    # Headers in front push UDP's into the second fragment (RFC 7112): judged when all is there.
    table += [(program("packets", "hidden", OUT6, port), word)
              for port, word in ((7, "served"), (84, "refused"))]
    bypass(haven, ["--root", *rules(*lines)], table, ["--root"])
    with Guest(haven, "--root", *rules(*lines)) as guest:
        guest.tries([(program("packets", "udp", OUT6, 7), "served"),
                     (program("packets", "udp", OUT6, 84), "refused")])
        for words in (("overlap", OUT4, 7, "--second", 84), ("overlap", OUT4, 84, "--second", 7)):
            word = guest.run(*program("packets", *words).words)["out"].strip()
            expect(word in ("refused", "silent"), f"{words}: {word}")


@test(**USER)
def source_ports_of_servers(haven):
    """Old filters let in what comes from port 53."""
    table = [(dial(protocol, OUT4, 84, "--from", port), "refused")
             for protocol in ("tcp", "udp") for port in (53, 80, 443)]
    table += [(dial(protocol, OUT4, 7, "--from", 53), "served") for protocol in ("tcp", "udp")]
    bypass(haven, rules(f"allow out {OUT4}:7", "allow out good.test:https"), table)


@test(**USER)
def data_in_pings(haven):
    table = [(ping(OUT4, "-s", "1200", "-p", "736563726574"), "refused"), (ping(OUT4), "refused"),
             (ping(OUT6, "-s", "1200"), "refused"), (ping(FAR6), "refused")]
    bypass(haven, rules("allow out https"), table)
    bypass(haven, rules("allow out good.test"), table)
    bypass(haven, rules("allow out https", f"allow out icmp {OUT4}"),
           [(ping(OUT4, "-s", "1200"), "served"), (ping(OUT6), "refused")])


@test(links=("tap",))
def answers_that_name_the_host(haven):
    """DNS rebinding: an allowed name, whose owner says that it is the host. And there is a server on the host."""
    server = haven.topology.start(HOST, "python3", f"{SUPPORT}/listen_late.py", "18443")
    wait_listening(HOST, 18443)
    try:
        table = [(dial("tcp", address, 18443), "refused") for address in (HOST4, HOST6)]
        bypass(haven, rules("allow out *.rebind.test"), table)
        with Guest(haven, *rules("allow out *.rebind.test", *GOOD)) as guest:
            for name in ("host", "loopback", "zero", "mapped", "gateway"):
                for family in ("-4", "-6"):
                    answer = guest.run("curl", "-sS", "--http0.9", "-m", "3", family,
                                       f"http://{name}.rebind.test:18443/")
                    expect(answer["status"] and not answer["out"],
                           f"{name}: {answer}, {guest.told()}")
            guest.tries([*table, (curl("https://good.test/"), "served")])
        with Guest(haven, *rules("allow out host:18443")) as guest:
            guest.tries([(dial("tcp", HOST4, 18443), "served"), (dial("tcp", HOST4, 22), "refused"),
                         (dial("tcp", OUT4, 7), "refused")])
    finally:
        server.terminate()
        server.wait(10)


@test(**USER)
def an_address_that_a_name_had(haven):
    """The binding ends with the answer's time to live: then the old address is as closed as any."""
    topology, old, new = haven.topology, OTHER4, "10.82.0.4"
    servers(haven)
    options = ("--name-floor", "1", *rules("allow out changing.test:https", *GOOD))
    at_old = program("tls", old, 443, "changing.test")
    topology.name("changing.test", old)
    with Guest(haven, *options) as guest:
        def known():
            return guest.run("dig", "+short", "changing.test", "A")["out"].strip()

        eventually(lambda: known() == old, "the name has the first address")
        guest.tries([(curl("https://changing.test/"), "served"), (at_old, "served")])
        topology.name("changing.test", new)
        eventually(lambda: known() == new, "the name has another address")
        eventually(lambda: at_old.judge(guest.run(*at_old.words)) == "refused",
                   "the first address is refused", seconds=20)
        guest.tries([(curl("https://changing.test/"), "served"), (at_old, "refused"),
                     (curl("https://good.test/"), "served")])
        expect_match(rf"(?m)^haven: refused: tcp out to .*{old}", guest.told(), "it is told")


@test(**USER)
def quic_with_another_name(haven):
    if not servers(haven).has_quic:
        raise Skip("gtlsserver and gtlsclient are not here")
    lines = ("allow out good.test:https",)
    knowing_good(haven, lines, [
        (quic("evil.test"), "refused"),
        (quic("evil.test", WEB4), "refused"),
        (quic("www.wild.test", WEB4), "refused"),
    ])
    knowing_good(haven, lines, [(quic("good.test"), "served")])
