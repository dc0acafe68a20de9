#!/usr/bin/env python3
"""Servers in the clear that a guest runs behind TLS, and what they saw, a line each in FILE.

    server.py FILE
    TCP 9001  reads to the end, answers "BYTES SHA-256", and ends
    TCP 9002  sends 1,000,000 bytes and its end, then reads to the end
    TCP 9003  reads to the end or to an error
    TCP 9004  sends 100,000 bytes, and resets the connection when they were taken
"""

import fcntl
import hashlib
import socket
import struct
import sys
import termios
import threading
import time


def note(line):
    with open(sys.argv[1], "a", encoding="ascii") as file:
        file.write(line + "\n")


def read_to_end(stream):
    size, digest, end = 0, hashlib.sha256(), "end"
    try:
        while data := stream.recv(1 << 18):
            size += len(data)
            digest.update(data)
    except ConnectionResetError:
        end = "reset"
    return size, digest.hexdigest(), end


def count(stream):
    size, digest, _ = read_to_end(stream)
    stream.sendall(f"{size} {digest}\n".encode())


def first(stream):
    stream.sendall(bytes(1000000))
    stream.shutdown(socket.SHUT_WR)
    size, _, end = read_to_end(stream)
    note(f"9002 {size} {end}")


def watch(stream):
    size, _, end = read_to_end(stream)
    note(f"9003 {size} {end}")


def unacknowledged(stream):
    return struct.unpack("i", fcntl.ioctl(stream, termios.TIOCOUTQ, bytes(4)))[0]


def abort(stream):
    stream.sendall(bytes(100000))
    while unacknowledged(stream):
        time.sleep(0.01)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def serve(port, handle):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)

    def guarded(stream):
        with stream:
            handle(stream)

    while True:
        stream, _ = server.accept()
        note(f"{port} accepted")
        threading.Thread(target=guarded, args=(stream,), daemon=True).start()


def main():
    for port, handle in ((9001, count), (9002, first), (9003, watch), (9004, abort)):
        threading.Thread(target=serve, args=(port, handle), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
