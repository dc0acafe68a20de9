"""Datagrams: `--udp`, of connect and of listen.

    hvt-host: haven connect --udp - HOST:PORT == veth == hvt-out: peers.py
"""

import subprocess

from support.runner import expect_equal, expect_in, expect_match, test
from support.topology import HOST4, OUT, OUT4, OUT6, inside

from .support.client import connect, start_listen


@test(links=("veth",), smoke=True)
def echoed(haven):
    for target in (f"{OUT4}:echo", f"[{OUT6}]:7"):
        result = connect(haven, "--udp", "-", target, data=b"a datagram")
        expect_equal((result.status, result.out), (0, b"a datagram"), f"{target}: {result.err}")


@test(identities=("user",), links=("veth",))
def each_read_is_one(haven):
    """Two writes, some time apart: two datagrams; and the largest that there is."""
    process = subprocess.Popen(haven.words(haven.binary, "connect", "-u", "--json", "-w", "0.3", "-", f"{OUT4}:7"),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    haven.processes.append(process)
    back = b""
    for part in (b"first", b"second"):
        process.stdin.write(part)
        process.stdin.flush()
        while not back.endswith(part):
            back += process.stdout.read1(100)
    process.stdin.close()
    steps = process.stderr.read().decode()
    expect_equal(process.wait(10), 0, "exit status")
    expect_equal((steps.count('"datagram-out"'), steps.count('"datagram-in"')), (2, 2), "datagrams")
    path = f"{haven.topology.directory}/large-{haven.identity}"
    with open(path, "wb") as file:
        file.write(b"x" * 65507)
    with open(path, "rb") as file:
        done = subprocess.run(haven.words(haven.binary, "connect", "-u", "-", f"{OUT4}:7"), stdin=file,
                              capture_output=True, timeout=20, check=False)
    expect_equal((done.returncode, len(done.stdout)), (0, 65507), done.stderr.decode())


@test(identities=("user",), links=("veth",))
def nobody_there(haven):
    result = connect(haven, "-u", "-", f"{OUT4}:1", data=b"x")
    expect_equal(result.status, 1, "refused by ICMP")
    expect_in(f"{OUT4}:1: connection refused", result.line, "its line")
    result = connect(haven, "-u", "-w", "0.2", "-", f"{OUT4}:84", data=b"")
    expect_equal((result.status, result.out), (0, b""), "nothing was sent")


@test(links=("veth",))
def listening(haven):
    listener = start_listen(haven, "-u", "-x", "0", stdin=subprocess.PIPE)
    port = expect_match(r"listening at port (\d+)", listener.stderr.readline().decode(), "its port")[1]
    asker = subprocess.Popen(inside(OUT, "python3", "-c", (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.settimeout(10)\n"
        f"s.connect(('{HOST4}', {port}))\n"
        "s.send(b'question')\n"
        "print(s.recv(100).decode())\n")), stdout=subprocess.PIPE, text=True)
    haven.processes.append(asker)
    expect_equal(listener.stdout.read1(100), b"question", "what came")
    listener.stdin.write(b"answer")
    listener.stdin.close()
    expect_equal(asker.stdout.read(), "answer\n", "what went back")
    expect_equal(listener.wait(10), 0, "exit status")
    expect_in("the first datagram is from 10.77.0.2:", listener.stderr.read().decode(), "who came")
