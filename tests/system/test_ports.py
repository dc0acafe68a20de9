"""What a network tells about itself: haven ls, ports, flows, why, publish and unpublish.

    hvt-out: 500 clients == veth == hvt-host:18080 -- haven -- guest: nginx on 80, UDP on 5353
                                       |
                          haven ports, asked in hvt-host
"""

import json
import os
import signal
import subprocess
import time

from support.haven import eventually
from support.runner import Skip, expect, expect_equal, expect_in, expect_match, test
from support.topology import HOST, HOST4, OUT, OUT4, SUPPORT, inside, wait_listening
from test_publish import nginx, outside

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def validator():
    try:
        import jsonschema
    except ImportError as error:
        raise Skip("python3-jsonschema is not here") from error
    with open(f"{ROOT}/doc/control.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    checker = jsonschema.validators.validator_for(schema)
    checker.check_schema(schema)
    return checker(schema)


def rows(haven, *words):
    """A command with --json; each line held against the schema."""
    result = haven.call(haven.binary, *words, "--json")
    expect_equal((result.status, result.err), (0, ""), f"haven {' '.join(words)} --json")
    check = validator()
    lines = [json.loads(line) for line in result.out.splitlines()]
    for line in lines:
        errors = [error.message for error in check.iter_errors(line)]
        expect_equal(errors, [], f"schema, of {line}")
    return lines


def say(haven, *words):
    result = haven.call(haven.binary, *words)
    expect_equal((result.status, result.err), (0, ""), f"haven {' '.join(words)}")
    return result.out


def refused(haven, *words):
    result = haven.call(haven.binary, *words)
    expect_equal(result.status, 125, f"exit status of haven {' '.join(words)}")
    expect_equal(len(result.err.splitlines()), 1, f"one line: {result.err}")
    return result.err


def serve(haven, name, *options):
    """nginx on 80 and a UDP socket on 5353, published at 18080 and 15353."""
    script = (f"python3 {SUPPORT}/bind_udp.py 5353 & exec " + " ".join(nginx(haven)))
    process = haven.start_publishing(18080, "--name", name, "-p", "18080:80", "-p",
                                     "127.0.0.1:15353:5353/udp", "-p", "18099:99", *options,
                                     "--", "sh", "-c", script)
    eventually(lambda: {80, 5353} <= {row["port"] for row in rows(haven, "ports", name)
                                      if row["type"] == "port"}, "both are bound")
    return process


def hold_connections(count):
    """`count` idle connections to nginx, held by a process outside until it is ended."""
    return subprocess.Popen(inside(OUT, "python3", f"{SUPPORT}/hold.py", HOST4, "18080",
                                   str(count)), stdout=subprocess.PIPE, text=True)


@test(smoke=True)
def ports_of_real_servers(haven):
    process = serve(haven, "ports-test")
    holder = hold_connections(500)
    haven.processes.append(holder)
    expect_equal(holder.stdout.readline(), "500\n", "connections that are up")
    # nginx accepts when it comes to it; the gateway's side of it is up before.
    eventually(lambda: sum(row.get("connections", 0) for row in rows(haven, "ports", "ports-test"))
               == 500, "500 connections are counted")
    listed = rows(haven, "ports", "ports-test")
    ports = {(row["protocol"], row["port"], row["address"]): row for row in listed
             if row["type"] == "port"}
    web = ports["tcp", 80, "0.0.0.0"]
    expect_equal((web["state"], web["service"], web["range"], web["connections"]),
                 ("LISTEN", "http", "system", 500), "nginx's port")
    expect_equal(web["process"]["name"], "nginx", "its process")
    expect(web["process"]["holders"] >= 2, "which has a worker")
    expect(abs(web["process"]["started"] - time.time()) < 300, "and a time that can be")
    datagrams = ports["udp", 5353, "0.0.0.0"]
    expect_equal((datagrams["state"], datagrams["service"], datagrams["range"],
                  datagrams["process"]["name"]), ("BOUND", "mdns", "user", "python3"), "UDP")
    published = {(row["protocol"], row["address"], row["host_port"], row["guest_port"])
                 for row in listed if row["type"] == "publication"}
    expect_equal(published, {("tcp", "0.0.0.0", 18080, 80), ("tcp", "::", 18080, 80),
                             ("udp", "127.0.0.1", 15353, 5353), ("tcp", "0.0.0.0", 18099, 99),
                             ("tcp", "::", 18099, 99)}, "publications")

    table = say(haven, "ports", "ports-test")
    expect_match(r"(?m)^ +80/tcp +http +system +LISTEN +0\.0\.0\.0 +500 +nginx \(\d+\) \+\d+ "
                 r"+\*:18080$", table, "nginx's line")
    expect_match(r"(?m)^5353/udp +mdns +user +BOUND +0\.0\.0\.0 +- +python3 \(\d+\) "
                 r"+127\.0\.0\.1:15353$", table, "the UDP server's line")
    expect_match(r"(?m)^ +99/tcp .*NOT-SERVED .*\*:18099$", table, "what nobody serves")
    expect(len(table.splitlines()) < 20, f"connections are not listed one by one: {table}")
    every = [row for row in rows(haven, "ports", "ports-test", "--all")
             if row["type"] == "port" and row["state"] == "ESTABLISHED"]
    expect_equal(len(every), 500, "but they are with --all")
    expect_equal({row["remote"]["address"] for row in every}, {OUT4}, "who is connected")

    flows = rows(haven, "flows", "ports-test")
    mine = [row for row in flows if row["host_port"] == 18080]
    expect_equal(len(mine), 500, "flows")
    expect_equal({(row["direction"], row["destination"]["port"], row["state"]) for row in mine},
                 {("in", 80, "OPEN")}, "what they are")
    expect(any(row["rtt_ms"] for row in mine), "the host has measured a round trip time")
    expect_equal(len(say(haven, "flows", "ports-test").splitlines()), 501, "lines of the table")
    [info] = [row for row in rows(haven, "ls") if row["name"] == "ports-test"]
    expect_equal((info["flows"], info["link"]["kind"], info["pid"]),
                 (500, haven.link, haven.gateway(process)), "haven ls")
    expect_match(r"(?m)^ports-test .*\b500\b", say(haven, "ls"), "its line")


@test()
def why_a_port_is_not_free(haven):
    serve(haven, "why-test")
    told = say(haven, "why", "why-test", "80")
    expect_match(r"(?m)^80/tcp is listened on by nginx \(process \d+, which runs since [\d: -]+\) "
                 r"at 0\.0\.0\.0, with 0 connections; \d+ processes share it$", told, "TCP")
    expect_in("80/tcp is published at 0.0.0.0:18080 of the host", told, "where")
    expect_in("80/udp is free", told, "UDP")
    expect_match(r"^5353/udp is bound by python3 \(process \d+", say(haven, "why", "why-test",
                                                                    "mdns/udp"), "by name")
    expect_in("18080 of the host is where port 80/tcp", say(haven, "why", "why-test", "18080/tcp"),
              "a port of the host")
    for row in rows(haven, "why", "why-test", "80"):
        expect_equal((row["type"], row["port"]), ("why", 80), "rows")
    expect_in("the gateway's own", say(haven, "why", "why-test", "10.0.2.2:81"), "the gateway")
    outside("curl", "-s", "-m", "5", f"http://{HOST4}:18099/")
    ended = [row for row in rows(haven, "why", "why-test", "[fd00::100]:99")
             if row["type"] == "ended-flow"]
    # IPv6 was tried last.
    expect(ended and all("refused" in row["reason"] for row in ended), f"refused: {ended}")
    expect_in("may connect to example.org:443 by tcp", say(haven, "why", "why-test", "example.org:https"), "a name")
    expect_in("DROPPED FOR", say(haven, "why", "why-test"), "drops")
    rows(haven, "why", "why-test")
    for word in ("0", "65536", "-", "80/sctp", "no-such-service", "10.0.2.2:", "x!:80"):
        refused(haven, "why", "why-test", word)


@test(smoke=True)
def why_a_port_is_privileged(haven):
    process = haven.start("--name", "low-test", "--privileged-ports", "512", "--root", "--", "sh",
                          "-c", "echo up; exec sleep 60", stdout=subprocess.PIPE)
    expect_equal(process.stdout.readline(), "up\n", "it runs")
    for port, verdict in (("511", "privileged"), ("512/tcp", "free"), ("http/tcp", "privileged")):
        expect_equal({row["verdict"] for row in rows(haven, "why", "low-test", port)}, {verdict},
                     f"port {port}")
    expect_match(r"^80/udp is free, and privileged: binding below 512 takes root inside .*--root.*"
                 r"from 512 on", say(haven, "why", "low-test", "80/udp"), "how to go on")


@test(links=("veth",))
def time_wait_has_an_end(haven):
    process = haven.start("--name", "wait-test", "--", "python3", f"{SUPPORT}/bind_udp.py", "9",
                          "--time-wait", "7777", OUT4, stdout=subprocess.PIPE)
    expect_equal(process.stdout.readline(), "7777\n", "a connection from port 7777 has ended")
    [row] = rows(haven, "why", "wait-test", "7777/tcp")
    expect_equal(row["verdict"], "time-wait", f"what holds it: {row}")
    expect(0 <= row["until"] - time.time() <= 61, f"until when: {row}")
    expect_match(r"in TIME-WAIT until \d\d:\d\d:\d\d \(\d+ s, 1 connection that has ended\)",
                 say(haven, "why", "wait-test", "7777/tcp"), "the sentence")


@test(smoke=True)
def publish_and_unpublish(haven):
    haven.start("--name", "publish-test", "--", *nginx(haven), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
    eventually(lambda: any(row["port"] == 80 for row in rows(haven, "ports", "publish-test")
                           if row["type"] == "port")
               if "publish-test" in say(haven, "ls") else False, "nginx listens")
    url = f"http://{HOST4}:18100/"
    expect_equal(outside("curl", "-s", "-m", "5", url).returncode, 7, "not yet published")
    expect_in("80/tcp of the guest is published at 0.0.0.0:18100",
              say(haven, "publish", "publish-test", "18100:http"), "published")
    expect_match(rf"^{OUT4} \d+\n$", outside("curl", "-s", "-m", "5", url).stdout, "it serves")
    expect_in("18100", refused(haven, "publish", "publish-test", "18100:81"), "twice")
    with SocketInUse(18101):
        message = refused(haven, "publish", "publish-test", "18100-18101:90-91")
        expect_in("1810", message, "all or nothing")
    refused(haven, "publish", "publish-test", "18100:80:80:80")
    refused(haven, "publish", "publish-test", "20000-29999:20000-29999")
    [made] = rows(haven, "publish", "publish-test", "127.0.0.1::80")
    expect_equal((made["type"], made["guest_port"]), ("published", 80), "a chosen port")
    expect_in("no longer published", say(haven, "unpublish", "publish-test", "80"), "unpublished")
    expect_equal(outside("curl", "-s", "-m", "5", url).returncode, 7, "refused again")
    expect_in("not published", refused(haven, "unpublish", "publish-test", "80"), "twice")


@test(identities=("user",), links=("veth",))
def names(haven):
    first = haven.start("--name", "names-test", "--", "sh", "-c", "echo up; exec sleep 60")
    expect_equal(first.stdout.readline(), "up\n", "it runs")
    result = haven.run("--name", "names-test", "--", "true")
    expect_equal(result.status, 125, "the same name again")
    expect_in("names-test", result.err, "is told")
    expect_equal(haven.run("--name", "a/b", "--", "true").status, 125, "no name")
    second = haven.start("--", "sh", "-c", "echo up; exec sleep 60")
    expect_equal(second.stdout.readline(), "up\n", "another one")
    expect_in(f"sh-{haven.gateway(second)} ", say(haven, "ls"), "has a name of its own")
    expect_in("did you mean 'names-test'", refused(haven, "ports", "name-test"), "the nearest")
    os.kill(haven.gateway(first), signal.SIGKILL)
    first.wait(10)
    eventually(lambda: "names-test" not in say(haven, "ls"), "killed, it is gone")
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        expect("names-test" not in file.read(), "and nothing of it is left")


@test(identities=("user",), links=("veth",))
def others_are_not_answered(haven):
    process = haven.start("--name", "mine-test", "--", "sh", "-c", "echo up; exec sleep 60")
    expect_equal(process.stdout.readline(), "up\n", "it runs")
    listed = subprocess.run(inside(HOST, haven.binary, "ls"), capture_output=True, text=True,
                            timeout=20, check=False).stdout
    expect_in("mine-test", listed, "root sees it")
    asked = subprocess.run(inside(HOST, "setpriv", "--reuid=65534", "--regid=65534",
                                  "--clear-groups", "python3", f"{SUPPORT}/ask_control.py",
                                  str(os.stat(f"/proc/{haven.gateway(process)}").st_uid),
                                  "mine-test"), capture_output=True, text=True, timeout=20,
                           check=False).stdout
    expect_equal(json.loads(asked), {"type": "error",
                                     "message": "this network belongs to another user"}, "nobody")
    inner = haven.run("--", haven.binary, "ls")
    expect("mine-test" not in inner.out, f"nor is it there inside of a network: {inner.out}")


class SocketInUse:
    """A listener on a port of hvt-host, while the context lasts."""

    def __init__(self, port):
        self.words = inside(HOST, "python3", f"{SUPPORT}/listen_late.py", str(port))
        self.port = port

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdout=subprocess.DEVNULL)
        wait_listening(HOST, self.port)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)


def transfer(haven, extra):
    """2 GB into the guest, while `extra` is done over and over: what came, and how often."""
    process = haven.start("--name", "quiet-test", "--", "curl", "-s", "-o", "/dev/null", "-w",
                          "%{size_download}", f"http://{OUT4}/bytes/2000000000")
    count = 0
    while process.poll() is None:
        extra()
        count += 1
    return process.stdout.read(), count


@test(identities=("user",), links=("veth",))
def reading_does_not_stop_traffic(haven):
    """A client that asks for much and reads nothing, and others that ask all the time."""
    silent = []

    def ask():
        if not silent and "quiet-test" in say(haven, "ls"):
            silent.append(subprocess.Popen(haven.words(
                "python3", f"{SUPPORT}/ask_control.py", "--silent",
                str(os.stat(f"/proc/{haven.processes[0].pid}").st_uid), "quiet-test")))
            haven.processes.append(silent[0])
        haven.call(haven.binary, "ports")
        haven.call(haven.binary, "flows", "--json")

    size, count = transfer(haven, ask)
    expect_equal(size, "2000000000", "all of it came")
    expect(count >= 1, "it was asked meanwhile")


@test(identities=("user",), links=("veth",))
def watch_draws_until_q(haven):
    process = haven.start("--name", "watch-test", "--", "sh", "-c", "echo up; exec sleep 60")
    expect_equal(process.stdout.readline(), "up\n", "it runs")
    expect_in("terminal", refused(haven, "ports", "--watch"), "without a terminal")
    primary, secondary = os.openpty()
    watcher = subprocess.Popen(haven.words(haven.binary, "ls", "--watch"), stdin=secondary,
                               stdout=secondary, stderr=secondary)
    haven.processes.append(watcher)
    os.close(secondary)
    seen = b""
    while seen.count(b"\x1b[H") < 2:
        seen += os.read(primary, 65536)
    expect(b"\x1b[?1049h" in seen and b"watch-test" in seen, f"a screen: {seen}")
    os.write(primary, b"q")
    while b"\x1b[?1049l" not in seen:
        seen += os.read(primary, 65536)
    expect_equal(watcher.wait(10), 0, "q ends it")
    os.close(primary)
