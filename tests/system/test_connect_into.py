"""haven connect NAME HOST:PORT: standard input and output on a port inside, published or not.

    hvt-host: haven connect === socket pair, passed over the control socket === haven -- guest: peers.py, sshd
"""

import hashlib
import json
import os
import pty
import pwd
import signal
import subprocess

from support.haven import descriptors, eventually
from support.runner import Skip, expect, expect_equal, expect_in, expect_match, test
from support.topology import SUPPORT, USER
from test_ports import rows, validator

NAME = "into-test"


def start(haven, *options, command=("python3", f"{SUPPORT}/peers.py"), port=7):
    """A network with servers in it that nobody can reach from outside; waits until `port` is listened on."""
    process = haven.start("--name", NAME, *options, "--", *command, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    eventually(lambda: haven.call(haven.binary, "why", NAME, str(port)).out.find("listened") > 0,
               "it listens inside")
    return process


def connect(haven, target, data=b"", seconds=60, options=()):
    done = subprocess.run(haven.words(haven.binary, "connect", *options, NAME, target), input=data,
                          capture_output=True, timeout=seconds, check=False)
    done.stderr = done.stderr.decode(errors="replace")
    return done


def begin(haven, target):
    """The same, in the background, with pipes."""
    process = subprocess.Popen(haven.words(haven.binary, "connect", NAME, target),
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    haven.processes.append(process)
    return process


def expect_refused(done, status, part):
    expect_equal(done.returncode, status, f"exit status, with {done.stderr!r}")
    expect_equal(len(done.stderr.splitlines()), 1, f"one line: {done.stderr!r}")
    expect_in(part, done.stderr, "the line")


def nothing_is_left(pid, before):
    """before: how many descriptors there were. One of a client that was leaving may have been among them."""
    eventually(lambda: descriptors(pid) <= before, f"no more descriptors than {before}")


@test(smoke=True)
def twenty_megabytes_both_ways(haven):
    start(haven)
    data = os.urandom(20_000_000)
    for target in ("localhost:7", "[fd00::100]:echo"):
        done = connect(haven, target, data)
        expect_equal((done.returncode, done.stderr), (0, ""), target)
        expect_equal(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(data).hexdigest(),
                     "sha256 of what came back")


@test(identities=("user",))
def each_direction_ends_by_itself(haven):
    start(haven)
    done = connect(haven, "localhost:82", b"x" * 123456)
    expect_equal((done.returncode, done.stdout), (0, b"123456\n"), "answered after our end")
    process = begin(haven, "localhost:83")
    expect_equal(len(process.stdout.read()), 100000, "its end is ours, while the input is open")
    expect_equal(process.poll(), None, "and it goes on")
    process.stdin.write(b"x")
    process.stdin.close()
    expect_equal(process.wait(10), 0, "exit status")


@test()
def families_and_sources(haven):
    start(haven)
    for target, source in (("localhost:84", "10.0.2.2"), ("10.0.2.100:84", "10.0.2.2"),
                           ("127.0.0.1:84", "10.0.2.2"), ("[::1]:84", "fd00::2"),
                           ("[fd00::100]:84", "fd00::2")):
        done = connect(haven, target)
        expect_match(rf"^{source} \d+\n$", done.stdout.decode(), f"whom {target} sees")


@test(identities=("user",), links=("veth",))
def one_family_is_enough(haven):
    script = ("import socket; s = socket.create_server(('::', 99), family=socket.AF_INET6); "
              "c = s.accept()[0]; c.sendall(c.recv(9)); c.recv(1)")
    start(haven, command=("python3", "-c", script), port=99)
    expect_refused(connect(haven, "127.0.0.1:99"), 1, "connection refused")
    done = connect(haven, "localhost:99", b"six")
    expect_equal((done.returncode, done.stdout, done.stderr), (0, b"six", ""), "IPv6 alone")


@test(links=("tap",))
def what_the_network_says_no_to(haven):
    start(haven)
    expect_refused(connect(haven, "localhost:9"), 1, "10.0.2.100:9: connection refused")
    expect_refused(connect(haven, "[::1]:9"), 1, "[fd00::100]:9: connection refused")
    expect_refused(connect(haven, "localhost:81", b"x"), 1, "reset by the guest's side")
    expect_refused(connect(haven, "10.0.2.77:7", options=("--timeout", "0.5")), 1, "no answer in 0.5 s")


@test(links=("veth",))
def what_cannot_be_asked(haven):
    start(haven)
    for target, part in (("10.9.9.9:22", "not in the guest's network"),
                         ("10.0.2.2:53", "haven's own end"), ("example.org:22", "'localhost'"),
                         ("localhost", "HOST:PORT"), ("localhost:htpps", "did you mean")):
        expect_refused(connect(haven, target), 125, part)
    expect_refused(connect(haven, "localhost:7", options=("--udp",)), 125, "--udp")
    missing = haven.call(haven.binary, "connect", "into-tset", "localhost:7")
    expect_equal(missing.status, 125, "exit status")
    expect_in("did you mean 'into-test'", missing.err, "the line")


@test(identities=("user",))
def rules_hold_but_nothing_has_to_be_published(haven):
    audit = f"{haven.topology.directory}/audit-{haven.link}"
    start(haven, "--allow", "in tcp :80", "--deny", "in tcp :82", "--audit", audit)
    expect_equal(connect(haven, "localhost:7", b"abc").stdout, b"abc", "no default stands in the way")
    expect_refused(connect(haven, "localhost:82"), 1, "refused by rule 2 'deny in tcp :82'")
    process = begin(haven, "localhost:7")
    process.stdin.write(b"x")
    process.stdin.flush()
    expect_equal(process.stdout.read(1), b"x", "it goes back and forth")
    said = haven.call(haven.binary, "deny", NAME, "in from host")
    expect_equal(said.status, 0, said.err)
    process.wait(10)
    expect_equal((process.returncode, process.stdout.read()), (1, b""), "a later rule ends it")
    expect_in("refused by new rules", process.stderr.read().decode(), "and says so")
    expect_refused(connect(haven, "localhost:7"), 1, "refused by rule 1 'deny in from host'")
    with open(audit, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    expect_equal([line["event"] for line in lines],
                 ["begin", "end", "refused", "begin", "end", "refused"], "the audit")
    expect_equal(lines[0]["client"], "haven connect", "whose it was")
    expect(int(lines[0]["source"].rsplit(":", 1)[1]) > 0, "its port")


@test(identities=("user",), links=("tap",))
def it_is_listed(haven):
    start(haven)
    process = begin(haven, "localhost:7")
    eventually(lambda: rows(haven, "flows", NAME), "a flow")
    flow = rows(haven, "flows", NAME)[0]
    expect_equal((flow["client"], flow["direction"], flow["service"]),
                 ("haven connect", "in", "echo"), "what it is")
    table = haven.call(haven.binary, "flows", NAME).out
    expect_match(r"10\.0\.2\.2:\d+ \(haven connect\) +10\.0\.2\.100:7 ", table, "the table")
    process.stdin.close()
    expect_equal(process.wait(10), 0, "exit status")
    ended = rows(haven, "why", NAME, f"10.0.2.2:{flow['source']['port']}")[0]
    expect_equal((ended["type"], ended["client"], ended["reason"]),
                 ("ended-flow", "haven connect", "closed"), "and afterwards")


@test(identities=("user",))
def ssh_by_proxy_command(haven):
    for program in ("/usr/sbin/sshd", "/usr/bin/ssh"):
        if not os.path.exists(program):
            raise Skip(f"no {program} here")
    place = f"{haven.topology.directory}/ssh-{haven.link}"
    haven.call("mkdir", "-p", place)
    for name in ("host_key", "client_key"):
        haven.call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/{name}")
    user = pwd.getpwnam(USER)
    settings = {"sshd": f"Port 22\nHostKey {place}/host_key\nPidFile none\nUsePAM no\n"
                        f"AuthorizedKeysFile {place}/client_key.pub\nStrictModes no\n",
                "data": "".join(f"{number}\n" for number in range(200000))}
    for name, text in settings.items():
        with open(f"{place}/{name}", "w", encoding="ascii") as file:
            file.write(text)
        os.chown(file.name, user.pw_uid, user.pw_gid)
    with open(f"{place}/host_key.pub", encoding="ascii") as file:
        known = f"into {' '.join(file.read().split()[:2])}\n"
    with open(f"{place}/known", "w", encoding="ascii") as file:
        file.write(known)
    start(haven, command=("/usr/sbin/sshd", "-D", "-e", "-f", f"{place}/sshd"), port=22)
    done = haven.call("ssh", "-F", "none", "-i", f"{place}/client_key", "-o", "BatchMode=yes", "-o",
                      f"UserKnownHostsFile={place}/known", "-o", "StrictHostKeyChecking=yes", "-o",
                      f"ProxyCommand={haven.binary} connect {NAME} localhost:%p",
                      f"{USER}@into", f"cat {place}/data; exit 7")
    expect_equal((done.status, done.err), (7, ""), "exit status of the command")
    expect_equal(done.out, settings["data"], "what it said")


@test(links=("tap",))
def two_hundred_leave_nothing(haven):
    process = start(haven)
    pid = haven.gateway(process)
    connect(haven, "localhost:7", b"first")
    before = descriptors(pid)
    loop = (f"for i in $(seq 200); do echo $i | {haven.binary} connect {NAME} localhost:7 || exit 1; "
            "done")
    done = haven.call("sh", "-c", loop, seconds=60)
    expect_equal((done.status, done.err), (0, ""), "all of them")
    expect_equal(done.out.split(), [str(number) for number in range(1, 201)], "in order")
    nothing_is_left(pid, before)
    expect_equal(rows(haven, "flows", NAME), [], "and no flow")


@test(identities=("user",), links=("tap",))
def a_hundred_at_once(haven):
    start(haven)
    crowd = [begin(haven, "localhost:7") for _ in range(100)]
    eventually(lambda: len(rows(haven, "flows", NAME)) == 100, "all are open at the same time")
    for number, process in enumerate(crowd):
        out, err = process.communicate(f"{number}\n".encode(), timeout=20)
        expect_equal((process.returncode, out, err), (0, f"{number}\n".encode(), b""), "each")


@test()
def who_is_killed_leaves_the_guest(haven):
    process = start(haven)
    pid = haven.gateway(process)
    before = descriptors(pid)
    for target, data in (("localhost:82", b"x"),  # the guest waits for more
                         ("localhost:80", b"GET /bytes/1000000000 HTTP/1.0\r\n\r\n")):  # or sends
        client = begin(haven, target)
        client.stdin.write(data)
        client.stdin.flush()
        eventually(lambda: any(row["state"] == "OPEN" and row["bytes_in"]
                               for row in rows(haven, "flows", NAME)), "it is open")
        client.send_signal(signal.SIGKILL)
        eventually(lambda: rows(haven, "flows", NAME) == [], "it is not, at once")
        eventually(lambda: not any(row["type"] == "port" and row["state"] == "ESTABLISHED"
                                   for row in rows(haven, "ports", "--all", NAME)),
                   "nor is it inside")
    nothing_is_left(pid, before)


RECEIVER = """
import socket
server = socket.create_server(("", 99))
while True:
    client, size = server.accept()[0], 0
    try:
        while data := client.recv(65536):
            size += len(data)
        print(size, "and the end", flush=True)
    except ConnectionResetError:
        print(size, "and a reset", flush=True)
    client.close()
"""


@test(identities=("user",))
def what_is_not_all_is_no_end(haven):
    """A client that is killed, or cannot read its input, had more to say: the server inside sees a reset."""
    process = haven.start("--name", NAME, "--", "python3", "-c", RECEIVER, stderr=subprocess.DEVNULL)
    eventually(lambda: connect(haven, "localhost:99", b"x" * 70000).returncode == 0, "it listens")
    expect_equal(process.stdout.readline(), "70000 and the end\n", "all")
    client = begin(haven, "localhost:99")
    client.stdin.write(b"y" * 60000)
    client.stdin.flush()
    eventually(lambda: [row["bytes_in"] for row in rows(haven, "flows", NAME)] == [60000], "sent")
    client.kill()
    expect_equal(process.stdout.readline(), "60000 and a reset\n", "killed")
    directory = os.open("/", os.O_RDONLY)
    done = subprocess.run(haven.words(haven.binary, "connect", NAME, "localhost:99"),
                          stdin=directory, capture_output=True, timeout=20, check=False)
    os.close(directory)
    expect_equal((done.returncode, done.stderr), (125, b"haven: error: cannot read standard input: "
                                                       b"Is a directory\n"), "no input")
    expect_equal(process.stdout.readline(), "0 and a reset\n", "nor an end")


@test(identities=("user",), links=("veth",))
def a_terminal(haven):
    start(haven)
    ours, theirs = pty.openpty()
    for target, typed, shown in (("localhost:7", b"typed\n\x04", b"typed\r\ntyped\r\n"),
                                 ("localhost:84", b"", b"10.0.2.2 ")):
        process = subprocess.Popen(haven.words(haven.binary, "connect", NAME, target), stdin=theirs,
                                   stdout=theirs, stderr=subprocess.PIPE)
        haven.processes.append(process)
        os.write(ours, typed)
        expect_equal((process.wait(20), process.stderr.read()), (0, b""), f"{target}: ended")
        expect_in(shown, os.read(ours, 1000), "the screen")
    os.close(ours)
    os.close(theirs)


@test(identities=("user",), links=("veth",))
def a_haven_that_is_killed(haven):
    process = start(haven)
    client = begin(haven, "localhost:7")
    eventually(lambda: rows(haven, "flows", NAME), "a flow")
    process.kill()
    client.wait(10)
    expect_equal((client.returncode, client.stderr.read()),
                 (1, b"haven: error: 10.0.2.100:7: 'into-test' has ended\n"), "how it ends")


@test(identities=("user",), links=("veth",))
def a_server_that_ends_with_its_answer(haven):
    script = ("import socket; s = socket.create_server(('', 99)); c = s.accept()[0]; "
              "c.sendall(b'y' * 3000000); c.close()")
    start(haven, command=("python3", "-c", script), port=99)
    client = begin(haven, "localhost:99")
    expect_equal(len(client.stdout.read()), 3000000, "all of it")
    expect_equal((client.wait(10), client.stderr.read()), (0, b""), "and a good end")


@test(links=("tap",))
def any_program_can_pass_a_socket(haven):
    process = start(haven)
    uid = "0" if haven.identity == "root" else str(pwd.getpwnam(USER).pw_uid)
    said = haven.call("python3", f"{SUPPORT}/pass_socket.py", uid, NAME, "localhost:7").out
    lines = said.splitlines()
    expect_equal(lines[0], "hello", "what came back")
    check = validator()
    answer = [json.loads(line) for line in lines[1:]]
    for row in answer:
        expect_equal([error.message for error in check.iter_errors(row)], [], f"schema, of {row}")
    expect_equal([row["type"] for row in answer], ["connecting", "connected", "closed", "end"],
                 "the answer")
    expect_equal((answer[2]["orderly"], answer[2]["bytes_in"], answer[2]["bytes_out"]),
                 (True, 5, 5), "how it was")
    pid = haven.gateway(process)
    before = descriptors(pid)
    bad = haven.call("python3", f"{SUPPORT}/pass_socket.py", uid, NAME, seconds=120)
    wanted = ("no stream socket", "no stream socket", "no descriptor came", "there were more",
              "there were more", "the end", '"type":"end"', "not in the guest's network")
    said = bad.out.splitlines()
    expect_equal(len(said), len(wanted), f"tries: {bad.out} {bad.err}")
    for line, part in zip(said, wanted):
        expect_in(part, line, "the answer to a bad request")
    nothing_is_left(pid, before)
    expect_equal(connect(haven, "localhost:7", b"still").stdout, b"still", "and it works")
