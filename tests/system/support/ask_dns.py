#!/usr/bin/env python3
"""ask_dns.py tcp|udp SERVER COUNT NAME: asks for A of NAME (%d in it: 0, 1, ...) COUNT times at once; prints how many were answered."""

import socket
import struct
import sys


def question(number, name):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + b"\0\1\0\1"


protocol, server, count, pattern = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
questions = [question(number, pattern % number if "%d" in pattern else pattern)
             for number in range(count)]
answered = set()
if protocol == "tcp":
    with socket.create_connection((server, 53), timeout=10) as client:
        client.sendall(b"".join(struct.pack(">H", len(one)) + one for one in questions))
        with client.makefile("rb") as file:
            while len(answered) < count:
                reply = file.read(struct.unpack(">H", file.read(2))[0])
                answered.add(struct.unpack(">H", reply[:2])[0] if reply[3] & 15 == 0 else -1)
else:
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in questions]
    for client, one in zip(clients, questions):
        client.settimeout(10)
        client.sendto(one, (server, 53))
    for client in clients:
        reply = client.recv(4096)
        answered.add(struct.unpack(">H", reply[:2])[0] if reply[3] & 15 == 0 else -1)
print(len(answered - {-1}))
