"""TLS at published ports: who is served, by which certificate, and who is not.

    hvt-out: curl == veth == hvt-host:18443 TLS -- haven -- in the clear -- guest: nginx on port 80
"""

import hashlib
import json

from support.haven import descriptors, eventually, memory_kib
from support.runner import expect, expect_equal, expect_in, expect_match, test
from support.topology import HOST4, HOST6, OUT4, OUT6

from .support.place import (PORT, authority, client, curl, outside, own_place, seen, start_nginx,
                            start_server, told)

BIG = 200 * 1000 * 1000


@test(smoke=True)
def requests_and_a_large_file(haven):
    made = authority(haven)
    block = hashlib.shake_256(b"tls").digest(1 << 20)
    digest = hashlib.sha256()
    with open(f"{own_place(haven)}/files/big", "wb") as file:
        for _ in range(BIG // len(block)):
            file.write(block)
            digest.update(block)
    start_nginx(haven, made)
    got = outside("sh", "-c", f"curl -sS --cacert {made.file('ca')} --resolve "
                  f"a.test:{PORT}:{HOST4} https://a.test:{PORT}/files/big | sha256sum")
    expect_equal(got.stdout.split()[0], digest.hexdigest(), f"the file: {got.stderr}")
    for host, source in ((HOST4, OUT4), (f"[{HOST6}]", OUT6)):
        answer = outside("curl", "-sS", "-m", "10", "--cacert", made.file("ca"),
                         "--connect-to", f"a.test:{PORT}:{host}:{PORT}",
                         f"https://a.test:{PORT}/who")
        expect_equal(answer.stdout, f"{source}\n", f"who the guest sees: {answer.stderr}")
    versions = curl(made, "/", "-w", "%{ssl_verify_result}", "--tls-max", "1.2")
    expect_equal(versions.stdout, "hello\n0", "TLS 1.2")
    expect(curl(made, "/", "--tls-max", "1.1").returncode in (4, 35), "no TLS 1.1")


@test(identities=("user",), links=("tap",))
def the_name_chooses_the_certificate(haven):
    made = authority(haven)
    start_nginx(haven, made, names=("a", "b"))
    for name in ("a.test", "b.test", "www.b.test"):
        expect_equal(curl(made, "/", name=name).stdout, "hello\n", name)
    wrong = curl(made, "/", name="c.test")
    expect_equal(wrong.returncode, 60, f"a name that neither has: {wrong.stderr}")


@test(identities=("user",), links=("tap",))
def clients_need_a_certificate(haven):
    made, other = authority(haven), authority(haven, "other")
    mine = ("--cert", made.file("client"), "--key", made.key("client"))
    start_nginx(haven, made, "--tls-client-ca", made.file("ca"), ask=mine)
    none = curl(made, "/")
    expect(none.returncode in (35, 56), f"without: {none.returncode} {none.stderr}")
    expect_in("the client sent no certificate, and must", told(haven), "the line")
    bad = curl(made, "/", "--cert", other.file("client"), "--key", other.key("client"))
    expect(bad.returncode in (35, 56), f"another authority's: {bad.returncode}")
    eventually(lambda: "issuer 'Another authority' of 'client' is not known" in told(haven), "a line")
    server = curl(made, "/", "--cert", made.file("a"), "--key", made.key("a"))
    expect(server.returncode in (35, 56), f"one for servers: {server.returncode}")
    eventually(lambda: "not one for TLS clients" in told(haven), "its line")
    expect_match(rf"warning: TLS from {OUT4}:\d+ at port {PORT}: ", told(haven), "who it was")


@test(identities=("user",), links=("tap",))
def what_is_not_tls_ends_and_is_told(haven):
    made = authority(haven)
    start_server(haven, made)
    before = len(seen(haven))
    plain = outside("curl", "-sS", "-m", "10", f"http://{HOST4}:9003/")
    expect_equal(plain.returncode, 52, f"plain HTTP: an end, no reset: {plain.stderr}")
    expect_match(rf"TLS from {OUT4}:\d+ at port 9003: the peer does not speak TLS: it said "
                 "'GET / HTTP/1.1'", told(haven), "its line")
    outside("bash", "-c", f"exec 3<>/dev/tcp/{HOST4}/9003")
    expect_equal(len(seen(haven)), before, "the guest has seen nothing of it")


@test(identities=("user",), links=("veth",))
def published_while_it_runs(haven):
    made = authority(haven)
    start_nginx(haven, made, "--name", "tls-live")
    ports = haven.call(haven.binary, "ports", "tls-live").out
    expect_match(rf"80/tcp .*\*:{PORT}/tls", ports, "haven ports")
    added = haven.call(haven.binary, "publish", "tls-live", "18444:http/tls", "18445:80")
    expect_equal(added.status, 0, added.err)
    expect_in("80/tcp of the guest is published at 0.0.0.0:18444, with TLS\n", added.out, "publish")
    expect_equal(curl(made, "/", port="18444").stdout, "hello\n", "through the new port")
    expect_equal(outside("curl", "-sS", f"http://{HOST4}:18445/").stdout, "hello\n", "in the clear")
    row = [json.loads(line) for line in haven.call(
        haven.binary, "publish", "tls-live", "--json", f"{HOST4}:18446:80/tls").out.splitlines()]
    expect_equal([(one["tls"], one["host_port"]) for one in row], [(True, 18446)], "the row")
    gone = haven.call(haven.binary, "unpublish", "tls-live", "18445:80/tls")
    expect_equal(gone.status, 125, "what is in the clear is not published with TLS")
    gone = haven.call(haven.binary, "unpublish", "tls-live", "18444:80/tls")
    expect_equal(gone.status, 0, gone.err)
    expect_equal(curl(made, "/", port="18444").returncode, 7, "it is gone")


@test(identities=("user",), links=("veth",))
def wrong_options_are_told(haven):
    made = authority(haven)
    cert, key = made.file("a"), made.key("a")
    for options, line in (
            (["-p", "18443:80/udp/tls"], "TLS is spoken over tcp"),
            (["--tls-key", key], "it goes behind the --tls-cert that it belongs to"),
            (["--tls-cert", cert, "--tls-key", key, "--tls-key", key], "has one already"),
            (["--tls-cert", "/nowhere.pem"], "cannot read '/nowhere.pem': No such file"),
            (["--tls-cert", cert], "there is no private key"),
            (["--tls-cert", cert, "--tls-key", made.key("b")],
             f"'{cert}' with key '{made.key('b')}': the private key is not that of certificate 'a'"),
            (["--tls-cert", "/etc/hostname"], "there is no certificate (PEM"),
            (["--tls-cert", cert, "--tls-key", key, "--tls-client-ca", key],
             f"'{key}': there is no certificate (PEM")):
        result = haven.run(*options, "--", "true")
        expect_equal(result.status, 125, f"exit status of {options}: {result.err}")
        expect_in(line, result.err, f"what {options} says")
    old = haven.run(*made.options("old"), "--", "true")
    expect_equal(old.status, 0, f"an expired one is used: {old.err}")
    expect_match(r"warning: the certificate in '\S+' with key '\S+' has expired on 20\d\d-", old.err,
                 "and told")


@test(identities=("user",), links=("tap",))
def ten_thousand_handshakes_leave_nothing(haven):
    made = authority(haven)
    process = start_nginx(haven, made)
    pid = haven.gateway(process)
    client(made, "many", "1000")
    memory, files = memory_kib(pid), descriptors(pid)
    client(made, "many", "10000", seconds=120)
    eventually(lambda: descriptors(pid) <= files, "descriptors are closed")
    expect(memory_kib(pid) < memory + 512, f"memory grew from {memory} to {memory_kib(pid)} KiB")
    expect_equal(curl(made, "/").stdout, "hello\n", "it still serves")
