"""Ports with TLS and without a certificate of their own: the user's local authority has one.

    hvt-out: curl == veth == hvt-host:18443 TLS -- haven -- in the clear -- guest: nginx on port 80
"""

import os

from support.haven import eventually
from support.runner import expect, expect_equal, expect_in, test
from support.topology import HOST4, HOST6

from .support.place import PORT, nginx, outside, own_place, start


def data_home(haven):
    """A home for the authority, so that nobody's own is touched."""
    home = f"{own_place(haven)}/data"
    haven.call("mkdir", "-p", "-m", "700", home)
    return home


def ask(name, port=PORT, trust=None, address=HOST4):
    more = ["--cacert", trust] if trust else []
    return outside("curl", "-sS", "-m", "10", *more, "--connect-to", f"{name}:{port}:{address}:{port}",
                   f"https://{name}:{port}/")


@test(smoke=True)
def names_of_the_machine(haven):
    home = data_home(haven)
    start(haven, "-p", f"{PORT}:80/tls", "--name", "local", command=nginx(haven),
          env={**os.environ, "XDG_DATA_HOME": home})
    trust = haven.call("env", f"XDG_DATA_HOME={home}", haven.binary, "ca", "--path").out.strip()
    eventually(lambda: ask("localhost", trust=trust).stdout == "hello\n", "nginx answers")
    for name in ("a.localhost", "b.c.localhost", "a.localhost", HOST4, "127.0.0.1", "local.haven"):
        answer = ask(name, trust=trust)
        expect_equal(answer.stdout, "hello\n", f"{name}: {answer.stderr}")
    answer = ask(f"[{HOST6}]", trust=trust, address=f"[{HOST6}]")
    expect_equal(answer.stdout, "hello\n", f"IPv6: {answer.stderr}")
    expect_equal(ask("localhost").returncode, 60, "who does not trust it")
    expect_equal(ask("evil.example", trust=trust).returncode, 60, "a name that is not the machine's")


@test(identities=("user",), links=("tap",))
def published_while_it_runs(haven):
    home = data_home(haven)
    environment = {**os.environ, "XDG_DATA_HOME": home}
    start(haven, "-p", "18081:80", "--name", "later", command=nginx(haven), env=environment,
          port=18081)
    before = os.listdir(home)
    added = haven.call(haven.binary, "publish", "later", f"{PORT}:80/tls")
    expect_equal(added.status, 0, added.err)
    trust = haven.call("env", f"XDG_DATA_HOME={home}", haven.binary, "ca", "--path").out.strip()
    eventually(lambda: ask("localhost", trust=trust).stdout == "hello\n", "served")
    if haven.link == "tap" and not before:
        expect(trust.startswith(home), f"made when it was needed: {trust}")


@test(identities=("user",), links=("veth",))
def an_authority_that_others_may_read_is_refused(haven):
    home = f"{own_place(haven)}/open"
    haven.call("sh", "-c", f"XDG_DATA_HOME={home} {haven.binary} ca --path && "
               f"chmod 644 {home}/haven/ca.key")
    result = haven.run("-p", f"{PORT}:80/tls", "--", "true",
                       env={**os.environ, "XDG_DATA_HOME": home})
    expect_equal(result.status, 125, "exit status")
    expect_in("ca.key", result.err, "what is wrong")
