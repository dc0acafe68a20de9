#!/usr/bin/env python3
"""The servers that the system tests talk to, in one process, on all addresses.

    TCP 7    echo                           UDP 7    echo, up to 65,507 bytes
    TCP 80   HTTP: GET /bytes/N gives N bytes of a known sequence, PUT answers the SHA-256
    TCP 81   resets each connection after its first byte
    TCP 82   reads to the end, then answers the count (half-close)
    TCP 83   sends 100,000 bytes and closes, reads nothing
    TCP 84   says from which address and port the client came
    UDP 84   the same
"""

import hashlib
import resource
import socket
import struct
import threading

BLOCK = hashlib.shake_256(b"haven").digest(1 << 20)


def listen(port, kind=socket.SOCK_STREAM):
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if kind == socket.SOCK_DGRAM:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    server.bind(("::", port))
    if kind == socket.SOCK_STREAM:
        server.listen(8192)
    return server


def serve(port, handle):
    server = listen(port)

    def guarded(client):
        try:
            handle(client)
        except OSError:
            pass
        finally:
            client.close()

    def loop():
        while True:
            client, _ = server.accept()
            threading.Thread(target=guarded, args=(client,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def echo(client):
    while data := client.recv(1 << 18):
        client.sendall(data)


def reset(client):
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def count_to_end(client):
    total = 0
    while data := client.recv(1 << 18):
        total += len(data)
    client.sendall(f"{total}\n".encode())


def send_and_close(client):
    client.sendall(BLOCK[:100000])
    client.shutdown(socket.SHUT_WR)
    client.recv(1)


def text_of(address):
    host = address[0].removeprefix("::ffff:")
    return f"{host} {address[1]}\n".encode()


def who(client):
    client.sendall(text_of(client.getpeername()))


def http(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            return
        head += data
    head, rest = head.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    fields = {}
    for line in lines[1:]:
        name, value = line.split(":", 1)
        fields[name.strip().lower()] = value.strip()
    if method == "GET":
        size = int(path.rsplit("/", 1)[1])
        client.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n"
                       "Connection: close\r\n\r\n".encode())
        send_bytes(client, size)
    elif method == "PUT":
        receive_bytes(client, rest, fields)


def send_bytes(client, size):
    while size:
        part = min(size, len(BLOCK))
        client.sendall(memoryview(BLOCK)[:part])
        size -= part


def receive_bytes(client, rest, fields):
    size = int(fields["content-length"])
    if fields.get("expect") == "100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    digest = hashlib.sha256(rest)
    left = size - len(rest)
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    while left:
        got = client.recv_into(view, min(left, len(buffer)))
        if not got:
            return
        digest.update(view[:got])
        left -= got
    body = digest.hexdigest().encode() + b"\n"
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                   % (len(body), body))


def udp_loop(port, answer):
    server = listen(port, socket.SOCK_DGRAM)

    def loop():
        while True:
            data, address = server.recvfrom(65535)
            try:
                server.sendto(answer(data, address), address)
            except OSError:
                pass

    threading.Thread(target=loop, daemon=True).start()


def raise_limits():
    """Thousands of clients at once need as many descriptors; a login has 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main():
    raise_limits()
    serve(7, echo)
    serve(80, http)
    serve(81, reset)
    serve(82, count_to_end)
    serve(83, send_and_close)
    serve(84, who)
    udp_loop(7, lambda data, address: data)
    udp_loop(84, lambda data, address: text_of(address))
    threading.Event().wait()


if __name__ == "__main__":
    main()
