"""`haven listen`: the server side, in the clear and over TLS.

    hvt-out: ask.py, curl, openssl == veth == hvt-host: haven listen PORT
    hvt-host: haven connect - localhost:PORT ------------/
"""

import subprocess

from support.runner import expect_equal, expect_in, expect_match, test
from support.topology import HOST, HOST4, OUT, OUT4, SUPPORT, inside, wait_listening

from .support.client import connect, start_listen
from .support.servers import servers

PORT = 18090


@test(links=("veth",), smoke=True)
def one_connection(haven):
    listener = start_listen(haven, "--json", str(PORT), stdin=subprocess.PIPE)
    wait_listening(HOST, PORT)
    asker = subprocess.Popen(inside(OUT, "python3", f"{SUPPORT}/ask.py", "tcp", HOST4, str(PORT)),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    listener.stdin.write(b"hello from inside\n")
    listener.stdin.close()
    expect_equal(asker.communicate(timeout=20)[0], "hello from inside\n", "what it got")
    expect_equal((listener.stdout.read(), listener.wait(20)), (b"", 0), "the listener's end")
    told = listener.stderr.read().decode()
    expect_match(rf'"peer": "{OUT4}:\d+"', told, "who came")
    expect_match(rf'"step": "syn".*"source": "{OUT4}:\d+"', told, "it is seen inside as who it is")


@test(identities=("user",), links=("veth",))
def one_after_the_other(haven):
    """--keep; and a port that is chosen."""
    listener = start_listen(haven, "--keep", "0", stdin=subprocess.DEVNULL)
    port = expect_match(r"listening at port (\d+)", listener.stderr.readline().decode(), "its port")[1]
    for word in (b"first", b"second", b"third"):
        result = connect(haven, "-", f"localhost:{port}", data=word)
        expect_equal((result.status, result.out), (0, b""), result.err)
        expect_equal(listener.stdout.read1(100), word, "what came")


@test(links=("veth",))
def over_tls(haven):
    """openssl and haven itself as clients; a client that does not trust us; one that speaks no TLS."""
    files = servers(haven.topology)
    own = ["--tls", "--cert", f"{files.directory}/good.pem", "--key", f"{files.directory}/good.key"]
    listener = start_listen(haven, *own, str(PORT), stdin=subprocess.PIPE)
    wait_listening(HOST, PORT)
    client = subprocess.Popen(
        inside(OUT, "openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", files.ca,
               "-servername", "out.test", "-connect", f"{HOST4}:{PORT}"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    haven.processes.append(client)
    client.stdin.write(b"from openssl")
    client.stdin.flush()
    expect_equal(listener.stdout.read1(100), b"from openssl", "what came")
    listener.stdin.write(b"to openssl")
    listener.stdin.close()
    expect_equal(client.stdout.read1(100), b"to openssl", "what went back")
    client.stdin.close()
    client.wait(20)
    expect_equal(listener.wait(20), 0, listener.stderr.read().decode())

    listener = start_listen(haven, *own, "--keep", str(PORT), stdin=subprocess.DEVNULL)
    wait_listening(HOST, PORT)
    result = connect(haven, "-", f"tls:localhost:{PORT}")
    expect_in("is not known", result.line, "who does not trust us")
    expect_in("TLS: the peer ended it with alert 'unknown CA'", listener.stderr.readline().decode(), "is told of")
    result = connect(haven, "-", f"localhost:{PORT}", data=b"GET / HTTP/1.0\r\n\r\n")
    expect_in("TLS: ", listener.stderr.readline().decode(), "and so is who speaks none")
    result = connect(haven, "--ca", files.ca, "--json", "-", f"tls:localhost:{PORT}", data=b"with TLS")
    expect_equal((result.status, result.out), (0, b""), result.err)
    expect_equal(listener.stdout.read1(100), b"with TLS", "and the next one is served")


@test(identities=("user",), links=("veth",))
def clients_with_certificates(haven):
    files = servers(haven.topology)
    own = ["--cert", f"{files.directory}/good.pem", "--key", f"{files.directory}/good.key", "--ca", files.ca]
    listener = start_listen(haven, "--tls", *own, "--json", str(PORT), stdin=subprocess.DEVNULL)
    wait_listening(HOST, PORT)
    result = connect(haven, *own, "-", f"tls:localhost:{PORT}", data=b"it is me")
    expect_equal((listener.stdout.read(), listener.wait(20), result.status), (b"it is me", 0, 0), result.err)
    expect_in('"subject": "CN=out.test"', listener.stderr.read().decode(), "the client's certificate")


@test(identities=("user",), links=("veth",))
def what_it_says_when_it_cannot(haven):
    first = start_listen(haven, str(PORT), stdin=subprocess.DEVNULL)
    wait_listening(HOST, PORT)
    for words, part in ((["listen", str(PORT)], "it is in use by haven"), (["listen", "80"], "take root"),
                        (["listen", "192.0.2.1:8080"], "the host has no such address"),
                        (["listen", "--tls", "8080"], "--cert FILE"), (["listen", "out.test:80"], "is a name"),
                        (["listen"], "at which port?")):
        done = haven.call(haven.binary, *words)
        expect_equal(done.status, 125, f"{words}: {done.err}")
        expect_in(part, done.err, f"{words}")
    first.terminate()
    first.wait(10)
