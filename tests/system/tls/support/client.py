#!/usr/bin/env python3
"""A TLS client that ends as it is told to. Run outside of haven; each way prints one line of JSON.

    client.py CA HOST PORT NAME talk BYTES        sends BYTES and close_notify, reads to the end
    client.py CA HOST PORT NAME listen BYTES      reads to the end, then sends BYTES and close_notify
    client.py CA HOST PORT NAME cut BYTES         sends BYTES, and ends without close_notify
    client.py CA HOST PORT NAME stall [BYTES]     sends that much of its first message, and waits
    client.py CA HOST PORT NAME many COUNT        so many handshakes, one after the other
    client.py CA HOST PORT NAME requests FILE     HTTP requests, a connection each, while FILE is there;
                                                  besides them one connection that is kept
"""

import hashlib
import json
import os
import socket
import ssl
import sys
import time

BLOCK = hashlib.shake_256(b"haven").digest(1 << 16)


class Client:
    """TLS over memory, so that each end of it can be said by itself."""

    def __init__(self, authority, address, name):
        self.socket = socket.create_connection(address, timeout=30)
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=authority)
        self.tls = context.wrap_bio(self.input, self.output, server_hostname=name)

    def flush(self):
        if data := self.output.read():
            self.socket.sendall(data)

    def until_done(self, call):
        while True:
            try:
                result = call()
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.socket.recv(1 << 18)
                if data:
                    self.input.write(data)
                else:
                    self.input.write_eof()

    def handshake(self):
        self.until_done(self.tls.do_handshake)

    def send(self, size):
        while size > 0:
            self.tls.write(BLOCK[:min(size, len(BLOCK))])
            self.flush()
            size -= len(BLOCK)

    def read(self):
        """b"" at close_notify; an SSLEOFError where that is missing."""
        try:
            return self.until_done(lambda: self.tls.read(1 << 16))
        except ssl.SSLZeroReturnError:
            return b""

    def say_goodbye(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.flush()


def read_to_end(client):
    total, end = b"", "close_notify"
    try:
        while data := client.read():
            total += data
    except ssl.SSLEOFError:
        end = "truncated"
    except ConnectionResetError:
        end = "reset"
    return total, end


def talk(client, size):
    client.handshake()
    client.send(int(size))
    client.say_goodbye()
    answer, end = read_to_end(client)
    return {"answer": answer.decode(), "end": end}


def listen(client, size):
    client.handshake()
    answer, end = read_to_end(client)
    if end != "close_notify":
        return {"bytes": len(answer), "end": end}
    client.send(int(size))
    client.say_goodbye()
    return {"bytes": len(answer), "end": end, "fin": client.socket.recv(1) == b""}


def cut(client, size):
    client.handshake()
    client.send(int(size))
    client.socket.shutdown(socket.SHUT_WR)
    return {"end": read_to_end(client)[1]}


def stall(client, size="0"):
    try:
        client.tls.do_handshake()
    except ssl.SSLWantReadError:
        client.socket.sendall(client.output.read()[:int(size)])
    started = time.monotonic()
    try:
        client.socket.recv(1 << 16)
    except ConnectionResetError:
        pass
    return {"seconds": time.monotonic() - started}


def connect(context, address, name):
    return context.wrap_socket(socket.create_connection(address, timeout=30),
                               server_hostname=name)


def many(authority, address, name, count):
    context = ssl.create_default_context(cafile=authority)
    for _ in range(int(count)):
        with connect(context, address, name):
            pass
    return {"handshakes": int(count)}


def request(stream):
    stream.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    answer = b""
    while b"\n\n" not in answer and not answer.endswith(b"hello\n"):
        data = stream.recv(4096)
        if not data:
            return False
        answer += data
    return answer.startswith(b"HTTP/1.1 200 ")


def requests(authority, address, name, while_there):
    context = ssl.create_default_context(cafile=authority)
    good, bad, serials = 0, [], []
    with connect(context, address, name) as kept:
        while os.path.exists(while_there):
            try:
                with connect(context, address, name) as stream:
                    serial = stream.getpeercert()["serialNumber"]
                    if serial not in serials:
                        serials.append(serial)
                    good += request(stream)
                if not request(kept):
                    bad.append("the kept connection")
            except OSError as error:
                bad.append(repr(error))
    return {"good": good, "bad": bad, "serials": serials}


def main():
    authority, host, port, name, way, *more = sys.argv[1:]
    address = (host, int(port))
    ways = {"talk": talk, "listen": listen, "cut": cut, "stall": stall}
    if way in ways:
        result = ways[way](Client(authority, address, name), *more)
    else:
        result = {"many": many, "requests": requests}[way](authority, address, name, *more)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
