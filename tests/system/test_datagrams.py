"""UDP, DNS and ICMP through haven.

    guest -- haven -- hvt-host == veth == hvt-out (dnsmasq, echo) == veth == hvt-far
"""

import contextlib

from support.runner import expect, expect_equal, expect_in, expect_match, test
from support.topology import FAR4, FAR6, HOST4, OUT4, OUT6, SILENT4, SUPPORT


@test(smoke=True)
def dns_over_udp_and_tcp(haven):
    for transport in ("+notcp", "+tcp"):
        result = haven.run("--", "dig", "+short", "+tries=1", transport, "out.test", "A")
        expect_equal(result.out, f"{OUT4}\n", f"dig {transport} A")
        result = haven.run("--", "dig", "+short", "+tries=1", transport, "out.test", "AAAA")
        expect_equal(result.out, f"{OUT6}\n", f"dig {transport} AAAA")
    result = haven.run("--", "dig", "@fd00::3", "+short", "+tries=1", "out.test", "A")
    expect_equal(result.out, f"{OUT4}\n", "dig at the IPv6 address")


@test()
def names_resolve_as_programs_do_it(haven):
    result = haven.run("--", "curl", "-s", "http://out.test/bytes/5", "-o", "/dev/null", "-w",
                       "%{http_code} %{size_download}")
    expect_equal(result.out, "200 5", "curl by name")


@test()
def truncated_answer_then_tcp(haven):
    result = haven.run("--", "dig", "+noedns", "+tries=1", "large.test", "TXT")
    expect_in("0123456789", result.out, "the large answer")
    expect_in("TCP", result.out, "which came over TCP")


@contextlib.contextmanager
def resolvers(*addresses):
    """The host's resolv.conf names these, for as long as the block runs."""
    path = "/etc/netns/hvt-host/resolv.conf"
    with open(path, encoding="ascii") as file:
        before = file.read()

    def write(text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    write("".join(f"nameserver {address}\n" for address in addresses))
    try:
        yield lambda *others: write("".join(f"nameserver {a}\n" for a in others))
    finally:
        write(before)


@test()
def dns_goes_on_when_the_first_server_is_dead(haven):
    for dead in (FAR4, SILENT4):
        with resolvers(dead, OUT4):
            result = haven.run("--", "dig", "+short", "+tries=1", "+time=8", "out.test", "A")
            expect_equal(result.out, f"{OUT4}\n", f"the second server's answer, {dead} first")


@test()
def dns_follows_resolv_conf(haven):
    with resolvers(SILENT4) as change:
        process = haven.start("--", "sh", "-c", "echo up; read line; "
                              "dig +short +tries=3 +time=3 out.test A; sleep 1", stdin=-1)
        expect_equal(process.stdout.readline(), "up\n", "it runs")
        change(OUT4)
        process.stdin.write("go\n")
        process.stdin.flush()
        expect_equal(process.stdout.readline(), f"{OUT4}\n", "the new server's answer")


@test(smoke=True)
def ping_both_families(haven):
    for option, address in (("-4", OUT4), ("-6", OUT6), ("-4", "10.0.2.2"), ("-6", "fd00::2")):
        result = haven.run("--", "ping", option, "-c", "3", "-i", "0.2", "-W", "2", address)
        expect_in(" 0% packet loss", result.out + result.err, f"ping {address}")
    result = haven.run("--", "ping", "-c", "1", "-W", "2", "-s", "8000", OUT4)
    expect_in(" 0% packet loss", result.out + result.err, "a large ping")


@test(smoke=True)
def udp_echo_of_every_size(haven):
    for mtu in ("1500", "65520"):
        for address in (OUT4, OUT6):
            script = " && ".join(
                f"python3 {SUPPORT}/ask.py udp-echo {address} 7 {size}"
                for size in (1, 1472, 1473, 9000, 65507))
            result = haven.run("--mtu", mtu, "--", "sh", "-c", script)
            expect_equal(result.out.split(), ["1", "1472", "1473", "9000", "65507"],
                         f"echo at {address}, MTU {mtu}: {result.err}")


@test()
def one_mapping_for_all_destinations(haven):
    script = (f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
              f"s.settimeout(3); s.bind(('', 5555)); "
              f"[(s.sendto(b'?', (a, 84)), print(s.recv(99).decode(), end='')) "
              f"for a in ('{OUT4}', '{FAR4}')]")
    result = haven.run("--", "python3", "-c", script)
    lines = result.out.splitlines()
    expect_equal(len(lines), 2, f"both answered: {result.err}")
    expect_equal(lines[0], lines[1], "one address and port outside (RFC 4787 section 4.1)")
    expect_in(HOST4, lines[0], "which is the host's")


@test()
def traceroute_through_two_namespaces(haven):
    result = haven.run("--", "traceroute", "-n", "-q", "1", "-w", "2", FAR4)
    expect_match(rf"1  10\.0\.2\.2 .*\n 2  {OUT4} .*\n 3  {FAR4} ", result.out + result.err,
                 "hops over UDP")
    result = haven.run("--", "traceroute", "-6", "-n", "-q", "1", "-w", "2", FAR6)
    expect_match(rf"1  fd00::2 .*\n 2  {OUT6} .*\n 3  {FAR6} ", result.out + result.err,
                 "hops over UDP, IPv6")


@test()
def closed_udp_port_is_refused(haven):
    script = (f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
              f"s.settimeout(3); s.connect(('{OUT4}', 9)); s.send(b'?'); s.recv(1)")
    result = haven.run("--", "python3", "-c", script)
    expect_in("ConnectionRefusedError", result.err, "port unreachable arrives")


@test()
def many_ports_each_with_its_own_socket(haven):
    result = haven.run("--", "python3", f"{SUPPORT}/udp_many.py", OUT4, "84", "1000", seconds=60)
    expect_equal(result.out, "1000\n", f"answers to 1,000 guest ports: {result.err}")
    expect(result.status == 0, result.err)
