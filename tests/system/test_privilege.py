"""--privileged-ports: who may bind which port inside, and what is said about it."""

from support.runner import expect_equal, expect_in, test

BIND = """
import socket, sys
for port in map(int, sys.argv[1:]):
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        try:
            socket.socket(type=kind).bind(("", port))
            print(port, "ok")
        except OSError as error:
            print(port, error.strerror)
"""


def bound(haven, options, *ports):
    result = haven.run(*options, "--", "python3", "-c", BIND, *map(str, ports))
    expect_equal(result.status, 0, f"exit status: {result.err}")
    return result


@test(identities=("user",), smoke=True)
def every_port_is_for_all(haven):
    expect_equal(bound(haven, (), 1, 1023, 65535).out,
                 "1 ok\n1 ok\n1023 ok\n1023 ok\n65535 ok\n65535 ok\n", "no limit")


@test(identities=("user",), smoke=True)
def below_the_limit_it_takes_root(haven):
    options = ("--privileged-ports", "1024")
    result = bound(haven, options, 1023, 1024)
    expect_equal(result.out, "1023 Permission denied\n" * 2 + "1024 ok\n" * 2, "the limit")
    expect_in("take a port from 1024 on, or lower --privileged-ports", result.err, "what to do")
    expect_equal(result.err.count("--privileged-ports"), 1, "it is said once")
    result = bound(haven, options + ("--root",), 1)
    expect_equal((result.out, result.err), ("1 ok\n1 ok\n", ""), "root inside")


@test(identities=("user",))
def wrong_limits_are_refused(haven):
    for wrong in "65536", "-1", "", "1k":
        result = haven.run("--privileged-ports", wrong, "--", "true")
        expect_in("a number from 0 to 65535", result.err, f"limit '{wrong}'")
