#!/usr/bin/env python3
"""count_dns.py ADDRESS FILE: a DNS server over UDP and TCP that appends the name of each question to FILE.

    *.count.test   A 10.77.0.2, TTL 60        *.zero.test   the same, TTL 0
    big*.test      TXT of 20,000 bytes, truncated over UDP
    everything else: no such name, for 60 s (SOA)
"""

import socket
import struct
import sys
import threading


def read_question(message):
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode().lower())
        at += 1 + message[at]
    return ".".join(labels), message[12:at + 5], struct.unpack(">H", message[at + 1:at + 3])[0]


def record(kind, ttl, data):
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def answer(message, tcp):
    name, question, kind = read_question(message)
    flags, answers, authority = 0x8180, b"", b""
    if name.endswith((".count.test", ".zero.test")) and kind == 1:
        answers = record(1, 60 if "count" in name else 0, socket.inet_aton("10.77.0.2"))
    elif name.startswith("big") and kind == 16:
        if tcp:
            answers = record(16, 60, (b"\xff" + b"x" * 255) * 78)
        else:
            flags |= 0x0200
    elif not name.endswith((".count.test", ".zero.test")):
        flags |= 3
    if not answers and not flags & 0x0200:
        authority = record(6, 60, b"\x00\x00" + struct.pack(">IIIII", 1, 60, 60, 60, 60))
    header = message[:2] + struct.pack(">HHHHH", flags, 1, bool(answers), bool(authority), 0)
    return name, header + question + answers + authority


class Server:
    def __init__(self, address, path):
        self.log = open(path, "a", buffering=1, encoding="ascii")
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.create_server((address, 53), backlog=64)
        threading.Thread(target=self.streams, daemon=True).start()

    def answer(self, message, tcp):
        name, reply = answer(message, tcp)
        self.log.write(f"{name} {'tcp' if tcp else 'udp'}\n")
        return reply

    def streams(self):
        while True:
            client, _ = self.tcp.accept()
            threading.Thread(target=self.stream, args=(client,), daemon=True).start()

    def stream(self, client):
        with client, client.makefile("rb") as file:
            while head := file.read(2):
                reply = self.answer(file.read(struct.unpack(">H", head)[0]), True)
                client.sendall(struct.pack(">H", len(reply)) + reply)

    def datagrams(self):
        while True:
            message, source = self.udp.recvfrom(4096)
            self.udp.sendto(self.answer(message, False), source)


Server(sys.argv[1], sys.argv[2]).datagrams()
