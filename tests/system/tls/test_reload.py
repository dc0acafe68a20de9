"""Certificates that change under load: by rename, in place, by halves."""

import json
import os
import shutil
import subprocess
import time

from support.haven import eventually
from support.runner import expect, expect_equal, expect_in, test
from support.topology import HOST4, OUT, inside

from .support.place import HERE, PORT, authority, curl, nginx, own_place, start, told


def swap(made, name, place):
    """The pair NAME takes the place of what is there, each file by a rename."""
    for source, target in ((made.file(name), "now.pem"), (made.key(name), "now.key")):
        shutil.copy(source, f"{place}/new")
        os.chmod(f"{place}/new", 0o644)
        os.rename(f"{place}/new", f"{place}/{target}")


def requests(made, running):
    return subprocess.Popen(
        inside(OUT, "python3", f"{HERE}/client.py", made.file("ca"), HOST4, PORT, "a.test",
               "requests", running), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def serial_of(path):
    done = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-serial"], check=True,
                          capture_output=True, text=True)
    return done.stdout.strip().split("=")[1]


def start_with(haven, made, name):
    place = own_place(haven)
    swap(made, name, place)
    process = start(haven, "-p", f"{PORT}:80/tls", "--tls-cert", f"{place}/now.pem", "--tls-key",
                    f"{place}/now.key", "--log", "info", command=nginx(haven))
    eventually(lambda: curl(made, "/").stdout == "hello\n", "nginx answers")
    return process


def presented(made):
    done = subprocess.run(
        inside(OUT, "openssl", "s_client", "-connect", f"{HOST4}:{PORT}", "-servername", "a.test",
               "-CAfile", made.file("ca")), input="", capture_output=True, text=True, timeout=30,
        check=False)
    done = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=done.stdout, check=True,
                          capture_output=True, text=True)
    return done.stdout.strip().split("=")[1]


@test(identities=("user",), links=("tap",))
def nothing_is_lost_when_they_are_swapped(haven):
    made, place = authority(haven), own_place(haven)
    for name in ("first", "second", "third", "fourth"):
        made.issue(name, "DNS:a.test")
    start_with(haven, made, "first")
    running = f"{place}/running"
    with open(running, "w", encoding="ascii"):
        pass
    load = requests(made, running)
    try:
        for name in ("second", "third", "fourth"):
            swap(made, name, place)
            serial = serial_of(made.file(name))
            eventually(lambda: presented(made) == serial, f"the {name} certificate is shown")
    finally:
        os.unlink(running)
        out, err = load.communicate(timeout=30)
    result = json.loads(out or "{}")
    expect_equal(result.get("bad"), [], f"requests that failed: {err}")
    expect(result["good"] > 100, f"there were requests: {result['good']}")
    for name in ("first", "second", "third", "fourth"):
        expect_in(serial_of(made.file(name)).lstrip("0"),
                  " ".join(one.lstrip("0") for one in result["serials"]), f"the {name} one")


@test(identities=("user",), links=("veth",))
def half_of_a_pair_is_not_used(haven):
    made, place = authority(haven), own_place(haven)
    made.issue("next", "DNS:a.test")
    start_with(haven, made, "a")
    before = serial_of(made.file("a"))
    shutil.copy(made.file("next"), f"{place}/now.pem")
    eventually(lambda: "the new certificates cannot be used" in told(haven), "a warning")
    expect_in("the private key is not that of certificate 'next'", told(haven), "what is wrong")
    expect_equal(presented(made), before, "the old one stays")
    with open(f"{place}/now.pem", "w", encoding="ascii") as file:
        file.write("-----BEGIN CERTIFICATE-----\nMII")
    time.sleep(2.5)  # they are looked at once a second, and nothing is to happen
    expect_equal(presented(made), before, "and with half a file")
    os.unlink(f"{place}/now.key")
    time.sleep(1.5)
    expect_equal(presented(made), before, "and without one")
    swap(made, "next", place)
    eventually(lambda: presented(made) == serial_of(made.file("next")), "the whole pair")
