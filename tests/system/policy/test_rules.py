"""What rules let through and what they keep away, with real servers and clients.

    guest: curl, dig, ping, openssl -- haven --allow ... -- hvt-host == hvt-out == hvt-web: nginx, QUIC
"""

import json

from support.runner import Skip, expect, expect_equal, expect_in, expect_match, test
from support.topology import FAR4, FAR6, OUT4, OUT6, WEB4, WEB6

from .support.guest import Guest, curl, dial, dig, ping, program, quic, rules, write_policy
from .support.servers import servers


def under(haven, lines, table, *options):
    """What the table says under these rules; gives what haven said."""
    with Guest(haven, *rules(*lines), *options) as guest:
        guest.tries(table, f"under {lines}")
        return guest.told()


@test(smoke=True)
def ports_and_protocols(haven):
    told = under(haven, [f"allow out tcp {OUT4}:7,82-84", f"allow out udp {OUT4}:echo"], [
        (dial("tcp", OUT4, 7), "served"),
        (dial("tcp", OUT4, 84), "served"),
        (dial("tcp", OUT4, 81), "refused"),
        (dial("tcp", FAR4, 7), "refused"),
        (dial("tcp", OUT6, 7), "refused"),
        (dial("udp", OUT4, 7), "served"),
        (dial("udp", OUT4, 84), "refused"),
        (dial("udp", OUT6, 7), "refused"),
        (ping(OUT4), "refused"),
        (ping(OUT6), "refused"),
    ])
    expect_match(rf"(?m)^haven: refused: tcp out to {OUT4} port 81 .*process \S+ \(\d+\)", told,
                 "the line of a TCP flow")
    expect_match(rf"(?m)^haven: refused: udp out to {OUT4} port 84 ", told, "of a UDP flow")
    expect_match(rf"(?m)^haven: refused: icmp out to {OUT4}\b", told, "of a ping")


@test(identities=("user",), links=("tap",))
def services_by_name(haven):
    under(haven, ["allow out https", "allow out :8000-8100"], [
        (curl(f"https://{WEB4}/"), "served"),
        (curl(f"https://[{WEB6}]/", "-k"), "served"),
        (curl(f"http://{WEB4}/"), "refused"),
        (curl(f"http://{WEB4}:8080/"), "served"),
        (curl(f"https://{WEB4}:8443/"), "refused"),
    ])
    under(haven, ["deny out http,http-alt", f"deny out icmp {OUT4}"], [
        (curl(f"http://{WEB4}/"), "refused"),
        (curl(f"http://{WEB4}:8080/"), "refused"),
        (curl(f"https://{WEB4}/"), "served"),
        (ping(OUT4), "refused"),
        (ping(FAR4), "served"),
        (dial("udp", OUT4, 7), "served"),
    ])


@test(identities=("user",), links=("tap",))
def blocks_and_order(haven):
    under(haven, [f"deny out {WEB4}:8080", "allow out 10.82.0.0/24", "allow out fd78::/64"], [
        (curl(f"http://{WEB4}/"), "served"),
        (curl(f"http://{WEB4}:8080/"), "refused"),
        (curl(f"http://[{WEB6}]/"), "refused"),
        (dial("tcp", FAR6, 7), "served"),
        (dial("tcp", FAR4, 7), "refused"),
        (ping(WEB4), "served"),
        (ping(FAR6), "served"),
        (ping(OUT6), "refused"),
    ])


@test(identities=("user",), links=("tap",))
def drop_says_nothing(haven):
    told = under(haven, [f"deny out tcp {OUT4}:84 drop", f"deny out udp {OUT4}:84 drop"], [
        (dial("tcp", OUT4, 84), "silent"),
        (dial("udp", OUT4, 84), "silent"),
        (dial("tcp", OUT4, 7), "served"),
        (dial("udp", OUT4, 7), "served"),
    ])
    expect_match(rf"(?m)^haven: refused: tcp out to {OUT4} port 84 .*rule 1 '.*drop'", told,
                 "but haven says it to its user")


@test(smoke=True, links=("tap",))
def names_at_a_shared_address(haven):
    """good.test and evil.test are both 10.82.0.2: only TLS and HTTP tell them apart."""
    told = under(haven, ["allow out good.test:http,https"], [
        (curl("https://evil.test/"), "refused"),
        (curl("https://good.test/", "--http2"), "served"),
        (curl("https://good.test/", "--http1.1"), "served"),
        (curl("https://GOOD.test/"), "served"),
        (curl("http://good.test/"), "served"),
        (curl("https://evil.test/", "--http2"), "reset"),
        (curl("https://evil.test/", "--http1.1"), "reset"),
        (curl("http://evil.test/"), "reset"),
        (curl("http://good.test:8080/"), "refused"),
        (curl("https://other.test/"), "refused"),
    ])
    expect_match(r"(?m)^haven: refused: tcp out to evil\.test \(10\.82\.0\.2\) port 443 \(https\) "
                 r".*process curl \(\d+\)", told, "the line says the name that TLS said")


@test(identities=("user",), links=("tap",))
def a_denied_name_at_a_shared_address(haven):
    told = under(haven, ["deny out evil.test"], [
        (curl("https://good.test/"), "served"),
        (curl("http://good.test/"), "served"),
        (curl("https://evil.test/"), "reset"),
        (curl("http://evil.test/"), "reset"),
        # By a name that no answer has said.
        (curl("https://evil.test/", "--resolve", f"evil.test:443:{WEB4}"), "reset"),
        (curl("https://other.test/"), "served"),
        (dial("tcp", FAR4, 84), "served"),
    ])
    expect_in("by rule 1 'deny out evil.test'", told, "the line names the rule")
    under(haven, ["deny out evil.test"], [
        (curl("https://evil.test/"), "refused"),  # no other name is known there
        (curl("https://other.test/"), "served"),
    ])


@test(identities=("user",), links=("tap",))
def wildcards(haven):
    under(haven, ["deny out private.wild.test", "allow out *.wild.test:https"], [
        (curl("https://www.wild.test/"), "served"),
        (curl("https://deep.sub.wild.test/"), "served"),
        (curl("https://private.wild.test/"), "reset"),
        (curl("https://wild.test/"), "reset"),
        (curl("https://good.test/"), "reset"),
        (curl("https://evil.test/", "--resolve", f"evil.test:443:{WEB4}"), "reset"),
        (curl("https://other.test/"), "refused"),
    ])


@test(identities=("user",), links=("tap",))
def aliases(haven):
    """chain.test -> alias.test -> good.test: the rule's name is the one that was asked for."""
    under(haven, ["allow out chain.test:https"], [
        (curl("https://good.test/"), "refused"),
        (curl("https://chain.test/"), "served"),
        (curl("https://good.test/"), "reset"),
    ])
    under(haven, ["allow out good.test:https"], [
        (curl("https://alias.test/"), "reset"),
        (curl("https://good.test/"), "served"),
    ])


@test(identities=("user",))
def names_over_ipv6(haven):
    under(haven, ["allow out six.test:https", "allow out both.test:https"], [
        (curl("https://evil-six.test/"), "refused"),
        (curl("https://six.test/"), "served"),
        (curl("https://evil-six.test/"), "reset"),
        (curl("https://both.test/", "-4"), "served"),
        (curl("https://both.test/", "-6"), "served"),
        (curl("http://six.test/"), "refused"),
        (curl("https://other.test/", "-6"), "refused"),
    ])


@test(links=("tap",))
def hellos_in_pieces(haven):
    """However the ClientHello is cut, its name is read, and the connection works."""
    table = [(curl("https://good.test/"), "served")]
    for cut in (("--segments", 1), ("--records", 1), ("--records", 7, "--segments", 3)):
        table.append((program("tls", WEB4, 443, "good.test", *cut), "served"))
        table.append((program("tls", WEB4, 443, "evil.test", *cut), "reset"))
    table.append((program("tls", WEB4, 443, "good.test", "--crafted", "late", "--pad", 30000),
                  "served"))
    table.append((program("tls", WEB4, 443, "good.test", "--crafted", "plain"), "served"))
    under(haven, ["allow out good.test:https"], table)


@test(identities=("user",), links=("tap",))
def requests_in_pieces(haven):
    """HTTP: each request of a connection is read, in any pieces."""
    good = r"GET /%s HTTP/1.1\r\nHost: good.test\r\n\r\n"
    last = r"GET /last HTTP/1.1\r\nhOST:good.test:80\r\nConnection: close\r\n\r\n"
    post = r"POST / HTTP/1.1\r\nHost: good.test\r\nContent-Length: 40\r\n\r\nGET / HTTP/1.1\r\n" \
        r"Host: evil.test\r\n1234567"
    under(haven, ["allow out good.test:http"], [
        (curl("http://good.test/"), "served"),
        (program("raw", WEB4, 80, good % "1", good % "2", last), "served"),
        (program("raw", WEB4, 80, good % "1" + good % "2" + last), "served"),
        (program("raw", WEB4, 80, good % "1" + last, "--segments", 1), "served"),
        (program("raw", WEB4, 80, post.replace("GET / HTTP/1.1", "-1234567890123"), last), "served"),
        (program("raw", WEB4, 80, post, last), "reset"),  # a server may take it for a request
        (program("raw", WEB4, 80, good % "1", last.replace("good", "evil")), "reset"),
    ])


@test(identities=("user",), links=("tap",))
def other_protocols_at_names(haven):
    """What is neither TLS nor HTTP says no name; it goes on as it comes, and nothing of it is kept back."""
    said = (r"x\r\n", r"\x00\x01", r"EHLO good.test\r\n", r"SSH-2.0-x\r\n", r"*1\r\n$4\r\nPING\r\n",
            r"PING\r\n", "x", "hello world", r"\x16", r"\x16\x03\x01\x00")
    for lines in (("allow out peers.test:echo,84",), ("deny out evil.test", "allow out")):
        under(haven, lines, [
            (dig("peers.test"), "served"),
            *((dial("tcp", OUT4, 7, "--say", text), "served") for text in said[:-2]),
            (dial("tcp", OUT4, 84, "--say", "x"), "served"),
            # What may be the beginning of a ClientHello is kept back until its name is there.
            *((dial("tcp", OUT4, 7, "--say", text), "silent") for text in said[-2:]),
            (dial("udp", OUT4, 7), "served"),
        ])


@test(identities=("user",), links=("tap",))
def quic_by_name(haven):
    if not servers(haven).has_quic:
        raise Skip("gtlsserver and gtlsclient are not here")
    under(haven, ["allow out udp good.test:https"], [
        (quic("good.test"), "served"),
        (quic("evil.test"), "refused"),
        (curl("https://good.test/"), "refused"),
    ])


@test(identities=("user",), links=("tap",))
def names_that_the_operator_gives(haven):
    under(haven, ["allow out box.test:http"], [
        (curl("http://box.test/"), "served"),
        (curl("http://good.test/"), "reset"),
        (curl("https://box.test/", "-k"), "refused"),
    ], "--host-name", f"box.test={WEB4}")


@test(identities=("user",), links=("tap",))
def strict_dns_answers_for_what_can_be_reached(haven):
    under(haven, ["allow out good.test:https", "allow out *.wild.test:https"], [
        (dig("good.test"), "served"),
        (dig("www.wild.test"), "served"),
        (dig("evil.test"), "no name"),
        (dig("wild.test"), "no name"),
        (dig("good.test.evil.test"), "no name"),
        (curl("https://evil.test/"), "no name"),
        (curl("https://good.test/"), "served"),
    ], "--dns-strict")


@test(identities=("user",), links=("tap",))
def server_names_can_be_let_off(haven):
    for option, word in ((("--require-sni", "yes"), "reset"), (("--require-sni", "no"), "served")):
        under(haven, ["allow out good.test:https"], [
            (curl("https://good.test/"), "served"),
            (program("tls", WEB4, 443, "-", "--crafted", "plain"), word),
            (curl("https://evil.test/"), "reset"),  # a name that is said is judged
        ], *option)


@test(links=("tap",), identities=("user",))
def rules_from_files(haven):
    included = write_policy(haven, "included", "allow out udp 10.77.0.2:echo")
    path = write_policy(haven, "rules", "# the test's", "", "deny out tcp *:81   # resets",
                        "allow out tcp 10.77.0.2", f"include {included}")
    table = [
        (dial("tcp", OUT4, 7), "served"),
        (dial("tcp", OUT4, 84), "served"),
        (dial("tcp", FAR4, 7), "refused"),
        (dial("udp", OUT4, 7), "served"),
        (dial("udp", OUT4, 84), "refused"),
    ]
    under(haven, [], table, "--policy", path)
    # In order of the options, whatever their kind.
    under(haven, [f"deny out tcp {OUT4}:7"], [(dial("tcp", OUT4, 7), "refused"), *table[1:]],
          "--policy", path)
    under(haven, [], table, "--policy", path, *rules(f"deny out tcp {OUT4}:7"))


@test(identities=("user",), links=("tap",))
def wrong_rules_are_clear(haven):
    for verb, rule in (("allow", "out tpc"), ("deny", "sideways"), ("allow", "out 10.0.0.0/33"),
                       ("allow", "out a.test:no-such-service"), ("allow", "out 1.2.3.4:1 drop"),
                       ("deny", "out 1.2.3.4:70000")):
        result = haven.run(f"--{verb}", rule, "--", "true")
        expect_equal((result.status, result.out), (125, ""), f"--{verb} '{rule}'")
        expect_match(r"^haven: error: .*\n$", result.err, "one line")
    path = write_policy(haven, "wrong", "allow out https", "", "allow out htpps")
    for words in (("run", "--link", haven.link, "--policy", path, "--", "true"),
                  ("policy", "--check", path)):
        result = haven.call(haven.binary, *words)
        expect_equal((result.status, result.out), (125, ""), f"haven {' '.join(words)}")
        expect_match(rf"^haven: error: {path}:3:\d+: .*expected .*'htpps'.*\n$", result.err,
                     "where, and what")
    good = write_policy(haven, "good", "allow out https")
    expect_equal(haven.call(haven.binary, "policy", "--check", good).status, 0, "a good one")
    expect_equal(haven.run("--policy", f"{path}.none", "--", "true").status, 125, "no file")


@test(identities=("user",), links=("tap",))
def refusals_are_kept_for_the_audit(haven):
    path = f"{haven.topology.directory}/audit-{haven.identity}.jsonl"
    under(haven, ["deny out evil.test", f"allow out tcp {OUT4}:7 log", "allow out good.test"], [
        (curl("https://good.test/"), "served"),
        (curl("https://evil.test/"), "reset"),
        (dial("tcp", OUT4, 7), "served"),
        (dial("tcp", OUT4, 84), "refused"),
    ], "--audit", path)
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    text = [json.dumps(line) for line in lines]
    expect(any("evil.test" in line and "deny" in line for line in text), f"evil.test: {text}")
    expect(any(f"{OUT4}:84" in line and "refused" in line for line in text), f"port 84: {text}")
    expect(any(OUT4 in line and "log" in line for line in text), f"what `log` tells: {text}")


@test(identities=("user",), links=("tap",))
def the_policy_is_shown(haven):
    with Guest(haven, *rules("deny out evil.test", "allow out good.test:https")) as guest:
        guest.tries([(curl("https://good.test/"), "served"), (curl("https://evil.test/"), "reset"),
                     (dial("tcp", OUT4, 7), "refused")])
        shown = guest.command("policy", guest.name)
        expect_equal((shown.status, shown.err), (0, ""), "haven policy")
        expect_match(r"(?m)^ *1 .*deny out evil\.test", shown.out, "the first rule")
        expect_match(r"(?m)^ *2 .*allow out good\.test:(443|https)", shown.out, "the second")
        told = [json.loads(line) for line in
                guest.command("policy", "--json", guest.name).out.splitlines()]
        expect(any("evil.test" in json.dumps(row) for row in told), f"as JSON: {told}")
        for words, part in ((("good.test:443",), "rule 2"), (("evil.test:443",), "rule 1"),
                            ((f"{OUT4}:7",), "no rule")):
            why = guest.command("why", guest.name, *words)
            expect_equal(why.status, 0, f"haven why {words}: {why.err}")
            expect_in(part, why.out, f"haven why {words}")
