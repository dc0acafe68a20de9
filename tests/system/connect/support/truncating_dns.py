#!/usr/bin/env python3
"""truncating_dns.py ADDRESS: a resolver that has 100 A records for long.test, 10.77.9.1 to 10.77.9.99 and 10.77.0.2, which it gives over TCP
alone; over UDP it says "truncated". Of AAAA there is none; every other name is answered SERVFAIL."""

import socket
import struct
import sys
import threading

ADDRESSES = ["10.77.0.2"] + [f"10.77.9.{i}" for i in range(1, 100)]


def question_end(message):
    at = 12
    while message[at]:
        at += 1 + message[at]
    return at + 5


def answer(message, tcp):
    end = question_end(message)
    question = message[12:end]
    wanted = question.lower().startswith(b"\x04long\x04test\0\0\1")
    exists = question.lower().startswith(b"\x04long\x04test\0")
    flags = 0x8180 | (0 if exists else 2) | (0x0200 if wanted and not tcp else 0)
    records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(one)
                       for one in ADDRESSES) if wanted and tcp else b""
    count = len(ADDRESSES) if records else 0
    return message[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + question + records


def over_udp(address):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        message, peer = server.recvfrom(4096)
        server.sendto(answer(message, False), peer)


def over_tcp(address):
    server = socket.create_server((address, 53))
    while True:
        client, _ = server.accept()
        with client, client.makefile("rb") as file:
            while head := file.read(2):
                reply = answer(file.read(struct.unpack(">H", head)[0]), True)
                client.sendall(struct.pack(">H", len(reply)) + reply)


threading.Thread(target=over_udp, args=(sys.argv[1],), daemon=True).start()
over_tcp(sys.argv[1])
