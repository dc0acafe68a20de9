"""What testssl.sh finds at a port published with TLS."""

import json
import os

from support.runner import Skip, expect, expect_equal, test
from support.topology import HOST4

from .support.place import PORT, authority, outside, own_place, start_nginx

# What is said of the test, and not of haven.
OF_THE_TEST = {
    "engine_problem": "testssl.sh has no GOST ciphers to try here",
    "cert_revocation": "the test's authority has neither lists nor responders",
    "DNS_CAArecord": "a.test is in no DNS",
}


def findings(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


@test(identities=("user",), links=("tap",))
def testssl_finds_no_weakness(haven):
    if not os.path.exists("/usr/bin/testssl"):
        raise Skip("testssl.sh is not installed")
    made = authority(haven)
    start_nginx(haven, made)
    report = f"{own_place(haven)}/testssl.json"
    outside("testssl", "--quiet", "--warnings", "batch", "--color", "0", "--add-ca",
            made.file("ca"), "--ip", HOST4, "--jsonfile", report, "-p", "-s", "-f", "-S", "-U",
            f"a.test:{PORT}", seconds=300)
    found = findings(report)
    expect("TLS1_3" in [one["id"] for one in found], "testssl.sh has looked")
    bad = [f"{one['id']}: {one['severity']}: {one['finding']}" for one in found
           if one["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL", "WARN")
           and one["id"] not in OF_THE_TEST]
    expect_equal(bad, [], "weaknesses")
