#!/usr/bin/env python3
"""bind_udp.py PORT [--time-wait PORT ADDRESS]: a UDP socket on PORT that does nothing.

--time-wait: first a connection from that TCP port to port 7 (echo) of ADDRESS, closed from
this side, so that the port is in TIME-WAIT; prints the port.
"""

import signal
import socket
import sys

holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
holder.bind(("0.0.0.0", int(sys.argv[1])))
if sys.argv[2:3] == ["--time-wait"]:
    with socket.create_connection((sys.argv[4], 7), 10, ("0.0.0.0", int(sys.argv[3]))) as client:
        client.shutdown(socket.SHUT_WR)
        while client.recv(1000):
            pass
    print(sys.argv[3], flush=True)
signal.pause()
