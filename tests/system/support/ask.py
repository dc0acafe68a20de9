#!/usr/bin/env python3
"""ask.py tcp|udp|udp-echo ADDRESS PORT [SIZE]: one exchange with peers.py, printed.

tcp reads to the end, udp sends a byte and prints the answer, udp-echo sends SIZE bytes and
prints how many came back equal. Exit 1 without an answer in 5 seconds (three tries for UDP).
"""

import os
import socket
import sys


def udp(address, port, data):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.settimeout(2)
        asker.connect((address, port))
        for _ in range(3):
            asker.send(data)
            try:
                return asker.recv(65535)
            except (TimeoutError, ConnectionRefusedError) as error:
                last = error
        raise last


def main():
    kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if kind == "tcp":
        with socket.create_connection((address, port), timeout=5) as asker:
            while data := asker.recv(65536):
                sys.stdout.write(data.decode())
    elif kind == "udp":
        sys.stdout.write(udp(address, port, b"?").decode())
    else:
        data = os.urandom(int(sys.argv[4]))
        answer = udp(address, port, data)
        if answer != data:
            raise SystemExit(f"{len(answer)} other bytes came back")
        print(len(answer))


try:
    main()
except OSError as failure:
    sys.exit(f"{failure}")
