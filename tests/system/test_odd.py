"""haven in odd circumstances: what no manual shows, and what users do nevertheless."""

import os

from support.runner import expect, expect_equal, expect_in, expect_match, test
from support.topology import HOST, OUT4, OUT6, SUPPORT, command, inside

ASK = f"python3 {SUPPORT}/ask.py"


@test(identities=("user",), smoke=True)
def haven_inside_haven(haven):
    inner = f"{haven.binary} run --link {haven.link}"
    result = haven.run("--", "sh", "-c", f"{inner} -- {inner} -- sh -c "
                       f"'{ASK} tcp {OUT4} 84; {ASK} udp {OUT6} 84; ping -qc 1 -W 2 {OUT4}'")
    expect_equal(result.status, 0, f"three havens, one in the other: {result.err}")
    expect_equal(len(result.out.splitlines()[:2]), 2, "TCP and UDP through all of them")
    expect_in(" 0% packet loss", result.out, "and a ping")


@test(identities=("user",), smoke=True)
def closed_standard_streams(haven):
    """What haven opens must not take the numbers 0 to 2: its log would go there."""
    path = f"{haven.topology.directory}/closed-{haven.link}"
    script = (f"exec {haven.binary} run --link {haven.link} --log debug -- sh -c "
              f"'{ASK} tcp {OUT4} 84 >{path} 2>{path}' <&- >&- 2>&-")
    expect_equal(haven.call("sh", "-c", script).status, 0, "exit status")
    with open(path, encoding="ascii") as file:
        expect_match(r"^10\.77\.0\.1 \d+\n$", file.read(), "the answer")
    os.unlink(path)


@test(identities=("root",), links=("veth",))
def capture_onto_a_full_disk(haven):
    script = (f"mount -t tmpfs -o size=64k none /mnt && {haven.binary} run --pcap /mnt/capture -- "
              f"curl -s http://{OUT4}/bytes/1000000 -o /dev/null -w '%{{size_download}}'")
    result = haven.call("unshare", "--mount", "sh", "-c", script)
    expect_equal(result.out, "1000000", "the command goes on")
    expect_equal(result.err.count("No space left"), 1, f"one line says so: {result.err}")


@test(identities=("root",), links=("tap",))
def host_without_resolv_conf(haven):
    script = ("mount -t tmpfs none /etc && "
              f"{haven.binary} run -- sh -c 'cat /etc/resolv.conf; "
              "dig +tries=1 +time=5 out.test'; echo \"left: $(ls /etc)\"")
    result = haven.call("unshare", "--mount", "sh", "-c", script)
    expect_in("nameserver 10.0.2.3\n", result.out, "the guest has one")
    expect_in("SERVFAIL", result.out, "nobody can answer, and that is said")
    expect(result.out.endswith("left: \n"), f"nothing is left in the host's /etc: {result.out}")


@test(identities=("user",), links=("tap",))
def thousand_ports_of_each_protocol(haven):
    result = haven.run("-p", "21000-21999:1000-1999", "-p", "21000-21999:1000-1999/udp", "--",
                       "true")
    expect_equal((result.status, result.err), (0, ""), "2,000 ports, 4,000 sockets")


@test(identities=("user",), links=("tap",))
def what_is_published_twice_is_said(haven):
    result = haven.run("-p", "21000:80", "-p", "21000:81", "--", "true")
    expect_equal(result.status, 125, "exit status")
    expect_in("21000/tcp of the host is published twice", result.err, "the line")
    result = haven.run("-p", "21000-21001:80", "-p", "21000-21001:81", "-p", "21000-21001:82",
                       "--", "true")
    expect_in("21000 to 21001 none is free", result.err, "a range that is used up")


@test(identities=("user",), smoke=True)
def narrow_path_is_told(haven):
    """The host's own interface is narrower than the guest's datagram, which is not to be cut."""
    script = ("import socket, sys\n"
              "for family, option, address, fits in (\n"
              f"        (socket.AF_INET, (0, 10), '{OUT4}', 1372),\n"
              f"        (socket.AF_INET6, (41, 23), '{OUT6}', 1352)):\n"
              "    s = socket.socket(family, socket.SOCK_DGRAM)\n"
              "    s.setsockopt(*option, 2)  # IP_PMTUDISC_DO\n"
              "    s.settimeout(5)\n"
              "    s.connect((address, 7))\n"
              "    for size in (fits, fits + 1):\n"
              "        s.send(bytes(size))\n"
              "        try:\n"
              "            print(len(s.recv(65535)))\n"
              "        except OSError as error:\n"
              "            print(error.strerror)\n")
    command(*inside(HOST, "ip", "link", "set", "out0", "mtu", "1400"))
    try:
        result = haven.run("--", "python3", "-c", script)
    finally:
        command(*inside(HOST, "ip", "link", "set", "out0", "mtu", "1500"))
    expect_equal(result.out.splitlines(),
                 ["1372", "Message too long", "1352", "Message too long"], result.err)


@test(identities=("user",), smoke=True)
def delayed_datagrams_arrive(haven):
    """What --impair delays is passed on by the time, not with the next packet."""
    script = ("import socket\n"
              "for _ in range(20):\n"
              "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
              "    s.settimeout(5)\n"
              f"    s.sendto(b'?', ('{OUT4}', 84))\n"
              "    s.recv(99)\n"
              "print('all')\n")
    result = haven.run("--impair", "delay=20ms jitter=5ms", "--", "python3", "-c", script)
    expect_equal(result.out, "all\n", f"20 answers to 20 questions: {result.err[-300:]}")
