"""Bytes through `haven connect -`: much, both ways, and each way of not getting there.

    hvt-host: haven connect - HOST:PORT == veth == hvt-out: peers.py, web.py
"""

import fcntl
import hashlib
import os
import pty
import select
import socket
import subprocess
import threading
import time

from support.runner import expect, expect_equal, expect_in, test
from support.topology import (HOST, NO_ROUTE4, OUT4, OUT6, SILENT4, SILENT6, UNREACHABLE4,
                              UNREACHABLE6, inside)

from .support.client import connect
from .support.servers import servers

MANY = 50_000_000


def sha(data):
    return hashlib.sha256(data).hexdigest()


@test(links=("veth",), smoke=True)
def much_both_ways(haven):
    """50 MB out and the same back at once, through pipes and from a file into a file."""
    data = os.urandom(MANY)
    result = connect(haven, "-", f"{OUT4}:echo", data=data)
    expect_equal((result.status, result.err), (0, ""), "by pipes")
    expect_equal(sha(result.out), sha(data), "what came back")
    path = f"{haven.topology.directory}/many-{haven.identity}"
    with open(path, "wb") as file:
        file.write(data)
    with open(path, "rb") as source, open(path + ".back", "wb") as sink:
        process = subprocess.run(haven.words(haven.binary, "connect", "-", f"[{OUT6}]:7"), stdin=source,
                                 stdout=sink, stderr=subprocess.PIPE, timeout=60, check=False)
    expect_equal((process.returncode, process.stderr), (0, b""), "by files")
    with open(path + ".back", "rb") as file:
        expect_equal(sha(file.read()), sha(data), "what came back into the file")
    os.remove(path)
    os.remove(path + ".back")


@test(identities=("user",), links=("veth",))
def half_closed(haven):
    result = connect(haven, "-", f"{OUT4}:82", data=b"x" * 100_000)
    expect_equal((result.status, result.out), (0, b"100000\n"), "answered after our end")
    result = connect(haven, "-", f"{OUT4}:83", data=b"")
    expect_equal((result.status, len(result.out)), (0, 100_000), "read to the peer's end")


@test(identities=("user",), links=("veth",))
def slow_readers_hold_back(haven):
    """Neither memory nor processor time is spent on what the other side does not take."""
    servers(haven.topology)
    for words, source in (([f"{OUT4}:9"], "zero"), ([f"{OUT4}:7"], "zero")):
        with open(f"/dev/{source}", "rb") as endless:
            process = subprocess.Popen(haven.words(haven.binary, "connect", "-", *words),
                                       stdin=endless, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
        haven.processes.append(process)
        before = settled_ticks(process.pid)
        time.sleep(1)
        expect(ticks(process.pid) - before <= 5, f"{words}: it does not turn for nothing")
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            rss = int(next(line for line in file if line.startswith("VmRSS")).split()[1])
        expect(rss < 64 * 1024, f"{words}: {rss} KiB")
        process.kill()
        process.wait()


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def settled_ticks(pid):
    """When all buffers on the way are full, as its use of the processor tells."""
    deadline = time.monotonic() + 20
    before = -1
    while ticks(pid) != before:
        expect(time.monotonic() < deadline, "never comes to rest")
        before = ticks(pid)
        time.sleep(0.5)
    return before


@test(links=("veth",))
def what_the_network_says(haven):
    """One line for each, with exit status 1."""
    for target, part in ((f"{OUT4}:1", f"{OUT4}:1: connection refused"),
                         (f"[{OUT6}]:1", f"[{OUT6}]:1: connection refused"),
                         (f"{UNREACHABLE4}:80", "no route to the host"),
                         (f"[{UNREACHABLE6}]:80", "no route to the "),
                         (f"{NO_ROUTE4}:80", "no route to the host"),
                         ("nobody.test:80", "there is no name 'nobody.test' (DNS says NXDOMAIN)"),
                         ("six.test:80 -4", "the name 'six.test' has no IPv4 address"),
                         (f"{OUT4}:81", f"{OUT4}:81: connection was reset by the peer"),
                         ("[fe80::1]:80", "link-local and multicast addresses are not forwarded")):
        result = connect(haven, "-", *target.split(), data=b"x", seconds=20)
        expect_equal((result.status, result.out), (1, b""), f"{target}: {result.err}")
        expect_in(part, result.line, target)
        expect_equal(len(result.err.strip().split("\n")), 1, f"one line: {result.err}")


@test(identities=("user",), links=("veth",))
def silence_has_an_end(haven):
    for address in (SILENT4, f"[{SILENT6}]"):
        started = time.monotonic()
        result = connect(haven, "--timeout", "1.5", "-", f"{address}:80")
        expect_equal(result.status, 1, result.err)
        expect_in(f"{address}:80: no answer in 1.5 s", result.line, "the line")
        expect(time.monotonic() - started > 1.4, "not before")


@test(identities=("user",), links=("veth",))
def wrong_words(haven):
    for words, part in ((["-", "out.test"], "has no port"), (["-", "out.test:htpps"], "'https'"),
                        (["-", "out.test:0"], "port 0"), (["-", "::1:80"], "in brackets"),
                        (["-", "http://a b/"], "not a URL"), (["-", "nonsense://out.test/"], "default port"),
                        (["-"], "are missing"), ([], "are missing"), (["-", "a:1", "b:2"], "too many"),
                        (["-4", "-6", "-", "a:1"], "leave nothing"), (["--timeout", "x", "-", "a:1"], "seconds"),
                        (["--udp", "-", "https://out.test/"], "HTTP is over TCP"),
                        (["-", "coaps://out.test/"], "DTLS")):
        result = connect(haven, *words)
        expect_equal(result.status, 125, f"{words}: {result.err}")
        expect_in(part, result.line, f"{words}")


@test(links=("veth",))
def families_and_names(haven):
    """IPv6 first; the other family when that fails; names of /etc/hosts and localhost without DNS."""
    result = connect(haven, "-", "out.test:84")
    expect(result.out.startswith(b"fd77::1 "), f"IPv6 first: {result.out}")
    result = connect(haven, "-4", "-", "out.test:84")
    expect(result.out.startswith(b"10.77.0.1 "), f"-4: {result.out}")
    result = connect(haven, "--json", "-", "both.test:7", data=b"by the other\n")
    expect_equal(result.status, 1, "fd82::2 and 10.82.0.2 refuse both")
    failed = [step for step in result.steps if step["step"] == "failed"]
    expect_equal(len(failed), 2, "both were tried")
    result = connect(haven, "--json", "-", "localhost:1")
    expect_equal((result.status, [step for step in result.steps if step["step"] == "dns-question"]),
                 (1, []), "localhost is not asked for")


@test(links=("veth",))
def the_hosts_own_loopback(haven):
    """127.0.0.1, ::1 and 127.0.0.53 are the host's, for who is on the host."""
    script = ("import socket, sys\n"
              "family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
              "server = socket.create_server((sys.argv[1], 7070), family=family)\n"
              "print('ready', flush=True)\n"
              "client, _ = server.accept()\n"
              "client.sendall(client.getsockname()[0].encode())\n")
    for address in ("127.0.0.1", "127.0.0.53", "::1"):
        server = subprocess.Popen(inside(HOST, "python3", "-c", script, address),
                                  stdout=subprocess.PIPE, text=True)
        haven.processes.append(server)
        expect_equal(server.stdout.readline(), "ready\n", "the server")
        target = f"[{address}]:7070" if ":" in address else f"{address}:7070"
        result = connect(haven, "--json", "-", target)
        expect_equal((result.status, result.out.decode()), (0, address), result.err)
        expect_in(f"{address} is this host's loopback", result.step("loopback")["text"], "it is told")
        server.wait(10)


@test(identities=("user",), links=("veth",))
def the_reader_leaves(haven):
    """As with every other program: SIGPIPE, and not a word."""
    process = subprocess.Popen(haven.words(haven.binary, "connect", "-", f"{OUT4}:83"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    haven.processes.append(process)
    process.stdout.close()
    expect_equal((process.wait(20), process.stderr.read()), (-13, b""), "ended by SIGPIPE")


@test(identities=("user",), links=("veth",))
def an_input_that_fails(haven):
    """The peer must not take a part for the whole: it is reset, and counts nothing."""
    with open("/proc/self/mem", "rb") as unreadable:
        process = subprocess.Popen(haven.words(haven.binary, "connect", "--json", "-", f"{OUT4}:82"),
                                   stdin=unreadable, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    haven.processes.append(process)
    out, err = process.communicate(timeout=20)
    expect_equal((process.returncode, out), (125, b""), err.decode())
    expect_in("cannot read standard input: Input/output error", err.decode(), "its line")
    expect_in('"step": "rst"', err.decode(), "the peer is reset")


@test(links=("veth",))
def a_terminal(haven):
    """What is typed goes there; when the peer ends, so does haven, and the terminal blocks as before."""
    ours, theirs = pty.openpty()
    for target, typed, shown in ((f"{OUT4}:7", b"typed\n\x04", b"typed\r\ntyped\r\n"),
                                 (f"{OUT4}:84", b"", b"10.77.0.1 ")):
        process = subprocess.Popen(haven.words(haven.binary, "connect", "-", target), stdin=theirs,
                                   stdout=theirs, stderr=subprocess.PIPE)
        haven.processes.append(process)
        os.write(ours, typed)
        expect_equal((process.wait(20), process.stderr.read()), (0, b""), f"{target}: ended")
        screen = b""
        while shown not in screen and select.select([ours], [], [], 5)[0]:
            screen += os.read(ours, 1000)
        expect_in(shown, screen, "the screen")
        expect(not fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK, "it blocks")
    os.close(ours)
    os.close(theirs)


@test(identities=("user",), links=("veth",))
def a_socket_for_both(haven):
    """Standard input and output are one socket, as inetd and ssh's ProxyCommand have it; its state is left as it was."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(haven.words(haven.binary, "connect", "-", f"{OUT4}:7"), stdin=theirs,
                               stdout=theirs, stderr=subprocess.PIPE)
    haven.processes.append(process)
    theirs.close()
    data = os.urandom(3_000_000)
    writer = threading.Thread(target=lambda: (ours.sendall(data), ours.shutdown(socket.SHUT_WR)))
    writer.start()
    back = b""
    while part := ours.recv(1 << 18):
        back += part
    writer.join()
    expect_equal(process.wait(20), 0, "exit status")
    expect_equal(sha(back), sha(data), "what came back")
