#!/usr/bin/env python3
"""tls.py ADDRESS PORT NAME|- [--segments N] [--records N]: a whole TLS connection with this server name (-: none) whose
ClientHello goes out in segments of N bytes, in records of N bytes; then an HTTP request for NAME.

tls.py ADDRESS PORT NAME|- --crafted KIND [--pad N]: a ClientHello made by hand, and what the server says to it.

    plain      as any
    v2         in the form of SSL 2.0, which has no extensions (RFC 5246 appendix E.2)
    late       the name behind N bytes of padding, in as many records as it takes
    over-long  the same behind 60,000 bytes of cipher suites besides
    two        NAME, and good.test before it, in one server_name extension
    twice      a server_name extension with good.test, and another one with NAME
    ascii-nul  NAME, a zero byte and ".good.test"
    dot        NAME with a final dot

Prints one word as dial.py does; "served" is the right certificate and response, or (crafted) bytes of the server. An alert is
an answer, too: the hello has reached the server.
"""

import argparse
import fcntl
import os
import socket
import ssl
import struct

SIOCOUTQNSD = 0x894B  # bytes that have not been sent, linux/sockios.h
RECORD_MAX = 1 << 14


def record(data, kind=22):
    return struct.pack(">BHH", kind, 0x0301, len(data)) + data


def records(data, size):
    return b"".join(record(data[at:at + size]) for at in range(0, len(data), size))


def handshake_bytes(flight):
    """What is inside of the records of a flight."""
    data = b""
    while flight:
        size = int.from_bytes(flight[3:5], "big")
        data += flight[5:5 + size]
        flight = flight[5 + size:]
    return data


def send_in_segments(connection, data, size):
    """Each leaves before the next is written, so that the kernel cannot put them together."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(data), size):
        connection.sendall(data[at:at + size])
        while struct.unpack("i", fcntl.ioctl(connection, SIOCOUTQNSD, b"\0" * 4))[0]:
            pass


def handshake(connection, name, options):
    """The first flight goes out as the options say, all else as it comes."""
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    if not name:
        context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
    first = True

    def go_on(step):
        nonlocal first
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                done = None
            flight = outgoing.read()
            if flight and first:
                hello = handshake_bytes(flight)
                flight = records(hello, options.records) if options.records else flight
                send_in_segments(connection, flight, options.segments or len(flight))
                first = False
            else:
                connection.sendall(flight)
            if done is not None:
                return done
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError
            incoming.write(data)

    go_on(lambda: client.do_handshake() or True)
    request = f"GET / HTTP/1.1\r\nHost: {name or options.address}\r\nConnection: close\r\n\r\n"
    client.write(request.encode())
    answer = go_on(lambda: client.read(65536))
    return b"200 OK" in answer and f"sni={name} ".encode() in answer


def extension(kind, data):
    return struct.pack(">HH", kind, len(data)) + data


def server_name(*names):
    listed = b"".join(b"\0" + struct.pack(">H", len(name)) + name for name in names)
    return extension(0, struct.pack(">H", len(listed)) + listed)


def hello(names, padding, more_ciphers=b""):
    """TLS 1.2 with ECDHE and AES-GCM."""
    rest = extension(10, struct.pack(">HHH", 4, 0x001d, 0x0017)) + extension(11, b"\1\0")
    rest += extension(13, struct.pack(">HHHHH", 8, 0x0403, 0x0804, 0x0401, 0x0503))
    extensions = padding + names + rest
    ciphers = struct.pack(">HHH", 0xc02b, 0xc02f, 0xc02c) + more_ciphers
    body = b"\3\3" + os.urandom(32) + b"\0" + struct.pack(">H", len(ciphers)) + ciphers
    body += b"\1\0" + struct.pack(">H", len(extensions)) + extensions
    return b"\1" + len(body).to_bytes(3, "big") + body


def hello_v2():
    """SSL 2.0's form: version 3.3, no session, cipher specs of three bytes, a challenge."""
    ciphers = b"".join(b"\0" + struct.pack(">H", c) for c in (0xc02b, 0xc02f, 0xc009, 0x00ff))
    body = b"\1\3\3" + struct.pack(">HHH", len(ciphers), 0, 32) + ciphers + os.urandom(32)
    return struct.pack(">H", 0x8000 | len(body)) + body


def padded(size):
    """Extensions that nobody knows, of so many bytes in all."""
    return extension(0x5a5a, b"\0" * max(size - 4, 0)) if size else b""


def crafted(name, options):
    name = name.encode()
    good = b"good.test"
    names = {"two": lambda: server_name(good, name),
             "twice": lambda: server_name(good) + server_name(name),
             "ascii-nul": lambda: server_name(name + b"\0." + good),
             "dot": lambda: server_name(name + b".")}
    if options.crafted == "v2":
        return hello_v2()
    extensions = names.get(options.crafted, lambda: server_name(name) if name else b"")()
    more = b"\x5a\x5a" * 30000 if options.crafted == "over-long" else b""
    return records(hello(extensions, padded(options.pad), more), options.records or RECORD_MAX)


def exchange(connection, options):
    name = "" if options.name == "-" else options.name
    if options.crafted:
        send_in_segments(connection, crafted(name, options), options.segments or 1 << 20)
        return "served" if connection.recv(1) else "reset"
    return "served" if handshake(connection, name, options) else "served something else"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("name")
    parser.add_argument("--segments", type=int)
    parser.add_argument("--records", type=int)
    parser.add_argument("--crafted")
    parser.add_argument("--pad", type=int, default=0)
    options = parser.parse_args()
    try:
        connection = socket.create_connection((options.address, options.port), 3)
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"
    try:
        return exchange(connection, options)
    except TimeoutError:
        return "silent"
    except OSError as error:
        return "reset" if not isinstance(error, ssl.SSLError) else f"failed: {error}"


print(main())
