"""Bulk data through haven's TCP, both ways, byte for byte.

    guest (haven run, in hvt-host) -- haven -- hvt-host == veth == hvt-out: HTTP on port 80
"""

import hashlib
import os

from support.peers import BLOCK
from support.runner import expect_equal, test
from support.topology import OUT4, OUT6

GIB = 1 << 30


def digest_of(size):
    digest = hashlib.sha256()
    while size:
        part = min(size, len(BLOCK))
        digest.update(memoryview(BLOCK)[:part])
        size -= part
    return digest.hexdigest()


def url(address, path):
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:80{path}"


def upload_file(haven, size):
    """A file of the known bytes, made once for all tests."""
    path = f"{haven.topology.directory}/upload-{size}"
    if not os.path.exists(path):
        with open(path, "wb") as file:
            for _ in range(size // len(BLOCK)):
                file.write(BLOCK)
    return path


def fetch_and_send(haven, mtu, address, size):
    result = haven.run("--mtu", str(mtu), "--", "sh", "-c",
                       f"curl -s {url(address, f'/bytes/{size}')} | sha256sum", seconds=120)
    expect_equal((result.out.split() or [result.err])[0], digest_of(size), "SHA-256 of the fetch")
    result = haven.run("--mtu", str(mtu), "--", "curl", "-s", "-T", upload_file(haven, size),
                       url(address, "/upload"), seconds=120)
    expect_equal(result.out.strip() or result.err, digest_of(size), "SHA-256 of the upload")


@test()
def gibibyte_mtu_1500_ipv4(haven):
    fetch_and_send(haven, 1500, OUT4, GIB)


@test()
def gibibyte_mtu_1500_ipv6(haven):
    fetch_and_send(haven, 1500, OUT6, GIB)


@test()
def gibibyte_mtu_65520_ipv4(haven):
    fetch_and_send(haven, 65520, OUT4, GIB)


@test()
def gibibyte_mtu_65520_ipv6(haven):
    fetch_and_send(haven, 65520, OUT6, GIB)


@test(identities=("user",), smoke=True)
def ten_mebibytes(haven):
    fetch_and_send(haven, 1500, OUT4, 10 << 20)
    fetch_and_send(haven, 65520, OUT6, 10 << 20)


@test(identities=("user",), smoke=True)
def two_streams_at_once_both_ways(haven):
    size = 64 << 20
    script = (f"curl -s {url(OUT4, f'/bytes/{size}')} | sha256sum & "
              f"curl -s -T {upload_file(haven, size)} {url(OUT6, '/upload')} & wait")
    result = haven.run("--", "sh", "-c", script, seconds=120)
    digests = sorted(line.split()[0] for line in result.out.splitlines())
    expect_equal(digests, [digest_of(size)] * 2, "SHA-256 of both")
