#!/usr/bin/env python3
"""Names for bench/policy: nNNNNN.test, each with an address of its own.

  bench/policy_names.py serve ADDRESS SPECIAL   a name server; n00000.test has the address SPECIAL
  bench/policy_names.py ask SERVER COUNT        asks for the first COUNT names; prints how many answers came

Answers live an hour. A name's other types are there, with nothing in them.
"""

import select
import socket
import struct
import sys
import time

TTL_SECONDS = 3600
AT_ONCE = 16
WAIT_SECONDS = 2


def address_of(number, special):
    if number == 0:
        return socket.inet_aton(special)
    return struct.pack(">I", (100 << 24) + (64 << 16) + number)  # 100.64.0.0/10, RFC 6598


def question(name, identification):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", identification, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def answer(query, special):
    """RFC 1035 section 4.1. Whoever asks is our own: names are as they should be."""
    end = query.index(b"\0", 12) + 5
    kind = int.from_bytes(query[end - 4:end - 2], "big")
    head = query[:2] + struct.pack(">HHHHH", 0x8580, 1, kind == 1, 0, 0) + query[12:end]
    if kind != 1:
        return head
    number = int(query[14:13 + query[12]])
    return head + struct.pack(">HHHIH", 0xc00c, 1, 1, TTL_SECONDS, 4) + address_of(number, special)


def serve(address, special):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    server.bind((address, 53))
    while True:
        query, client = server.recvfrom(2048)
        server.sendto(answer(query, special), client)


def ask(server, count):
    """A window of questions: one goes out for each answer, and again when there was none."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((server, 53))
    todo, waiting, done = list(range(count))[::-1], {}, 0
    while todo or waiting:
        while todo and len(waiting) < AT_ONCE:
            number = todo.pop()
            client.send(question(f"n{number:05}.test", number % 65536))
            waiting[number % 65536] = (number, time.monotonic())
        if select.select([client], [], [], WAIT_SECONDS)[0]:
            data = client.recv(2048)
            if waiting.pop(int.from_bytes(data[:2], "big"), None):
                done += int.from_bytes(data[6:8], "big")
        late = [one for one, (_, at) in waiting.items() if time.monotonic() > at + WAIT_SECONDS]
        todo += [waiting.pop(one)[0] for one in late]
    print(done)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], sys.argv[3])
    else:
        ask(sys.argv[2], int(sys.argv[3]))
