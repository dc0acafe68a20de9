#!/usr/bin/env python3
"""udp_many.py ADDRESS PORT N: asks from N ports; prints how many distinct answers came."""

import resource
import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
askers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
answers = set()
for asker in askers:
    asker.settimeout(2)
    asker.connect((address, port))
for asker in askers:
    for _ in range(3):
        asker.send(b"?")
        try:
            answers.add(asker.recv(99))
            break
        except TimeoutError:
            pass
print(len(answers))
