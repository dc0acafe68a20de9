"""Services by name: published, shown, and as the machine's own /etc/services has them.

    hvt-out: curl, ask.py == veth == hvt-host:18080 -- haven -p 18080:http -- guest: port 80
"""

import json
import os
import subprocess

from support.haven import eventually
from support.runner import expect_equal, expect_in, test
from support.topology import HOST4, OUT, SUPPORT, command, inside


def outside(*words):
    return subprocess.run(inside(OUT, *words), timeout=60, text=True, capture_output=True,
                          check=False)


@test(identities=("user",), links=("veth",), smoke=True)
def published_by_name(haven):
    """http is 80, echo is 7, postgresql is 5432: of the guest, of the guest, of the host."""
    haven.start_publishing(18080, "-p", "18080:http", "-p", "18007:echo/udp", "-p", "postgresql:84",
                           "--", "python3", f"{SUPPORT}/peers.py")
    eventually(lambda: outside("curl", "-sf", "-m", "2", "-o", "/dev/null",
                               f"http://{HOST4}:18080/bytes/10").returncode == 0,
               "what listens on http answers")
    eventually(lambda: outside("python3", f"{SUPPORT}/ask.py", "tcp", HOST4, "5432").stdout,
               "so does what is published at postgresql")
    echoed = outside("python3", f"{SUPPORT}/ask.py", "udp-echo", HOST4, "18007", "100")
    expect_equal(echoed.returncode, 0, f"echo over UDP: {echoed.stderr}")


@test(identities=("user",), links=("veth",))
def wrong_names_are_clear(haven):
    for spec, part in (("18080:htpp", "'http'"), ("18080:no-such-service", "no TCP service"),
                       ("18080:http/sctp", "tcp nor udp")):
        result = haven.run("-p", spec, "--", "true")
        expect_equal(result.status, 125, f"exit status with {spec}")
        expect_in(part, result.err, f"the line for {spec}")
        expect_equal(len(result.err.splitlines()), 1, f"one line: {result.err}")


@test(identities=("root",), links=("veth",))
def the_machines_own_names_come_first(haven):
    """In a mount namespace with another /etc/services."""
    path = f"{haven.topology.directory}/services"
    with open(path, "w", encoding="ascii") as file:
        file.write("our-shop 443/tcp shop # the shop\nhttp-alt 8080/tcp\nthis is no line\n")
    os.chmod(path, 0o644)

    def ask(*words):
        done = command("unshare", "-m", "sh", "-c",
                       'mount --bind "$0" /etc/services && exec "$@"', path,
                       haven.binary, "service", "--json", *words)
        return [json.loads(line) for line in done.stdout.splitlines()]

    rows = ask("443/tcp")
    expect_equal([row["name"] for row in rows], ["our-shop", "https"], "both, ours first")
    expect_equal(rows[0]["description"], "the shop", "with what the file says")
    expect_equal(ask("SHOP")[0]["first"], 443, "by alias")
    expect_equal([row["first"] for row in ask("http-alt")], [8080, 591, 8008],
                 "the file's port first")
    expect_equal(ask("ssh")[0]["first"], 22, "what the file lacks is there")
