"""Bodies of HTTP answers, whole and not; redirections; statuses.

    hvt-host: haven connect - http://out.test:8081/... == veth == hvt-out: web.py
"""

import subprocess

from support.runner import expect_equal, expect_in, expect_match, test
from support.topology import OUT4

from .support.client import connect
from .support.servers import servers

BODIES = {
    "/chunked": b"hello, world",
    "/until-end": b"to the end",
    "/interim": b"final",
    "/empty": b"",
    "/moved": b"moved",
}


def get(haven, path, *options):
    servers(haven.topology)
    return connect(haven, *options, "-", f"http://out.test:8081{path}")


@test(links=("veth",), smoke=True)
def whole_bodies(haven):
    for path, body in BODIES.items():
        result = get(haven, path)
        expect_equal((result.status, result.out), (0, body), f"{path}: {result.err}")


@test(identities=("user",), links=("veth",))
def what_is_told_of_them(haven):
    result = get(haven, "/missing")
    expect_equal((result.status, result.out), (22, b"nothing"), "a 404, and its body")
    expect_in("error: out.test:8081: the server says 404 Not Found", result.line, "its line")
    result = get(haven, "/moved")
    expect_in("warning: out.test:8081: 301 Moved Permanently: it is at 'http://elsewhere.test/', which is "
              "not gone to", result.line, "a redirection")
    result = get(haven, "/short")
    expect_equal((result.status, result.out), (1, b"only this"), "a body cut short")
    expect_in("of which 9 of 20 bytes have come: its body was cut short", result.line, "its line")
    result = get(haven, "/bad-chunks")
    expect_equal((result.status, result.out), (1, b"hello, wo"), "chunks cut short")
    expect_in("its body was cut short", result.line, "its line")
    result = connect(haven, "-", f"http://{OUT4}:84/")
    expect_equal(result.status, 1, "no HTTP at all")
    expect_in("its first line is not one of HTTP/1", result.line, "its line")


@test(identities=("user",), links=("veth",))
def the_request(haven):
    """What the server sees of it."""
    result = get(haven, "/a/b?c=d#not-this")
    head = result.out.decode()
    version = subprocess.run([haven.binary, "--version"], capture_output=True, text=True, check=True).stdout
    expect_match(r"^GET /a/b\?c=d HTTP/1\.1\r\n", head, "the request line")
    for line in ("Host: out.test:8081", "Connection: close", "User-Agent: " + version.strip().replace(" ", "/")):
        expect_in(line + "\r\n", head, "a field")
    expect_in("GET /?q HTTP/1.1\r\n", get(haven, "?q").out.decode(), "a URL without path")
    result = connect(haven, "-", "http://[fd77::2]:8081/x")
    expect_in("Host: [fd77::2]:8081\r\n", result.out.decode(), "an IPv6 address")
    result = connect(haven, "-", "http://me:secret@out.test:8081/")
    expect_equal((result.status, result.out), (125, b""), "a password would have to be sent")
    expect_in("a user name", result.line, "and is not")


@test(identities=("user",), links=("veth",))
def other_schemes(haven):
    """By their port; TLS where the scheme means it."""
    result = connect(haven, "--json", "-", f"echo://{OUT4}", data=b"to port 7")
    expect_equal((result.status, result.out), (0, b"to port 7"), result.err)
    expect_in("'echo' is service 'echo' over TCP, without TLS", result.step("scheme")["text"], "the scheme")
    result = connect(haven, "-", f"imaps://{OUT4}")
    expect_in(f"{OUT4}:993: connection refused", result.line, "imaps is at 993")
