#!/usr/bin/env python3
"""hold.py ADDRESS PORT COUNT: COUNT connections that do nothing; prints COUNT, holds them until it is ended."""

import resource
import signal
import socket
import sys

address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 64, hard), hard))
held = [socket.create_connection((address, port), 10) for _ in range(count)]
print(len(held), flush=True)
signal.pause()
