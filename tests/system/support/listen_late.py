#!/usr/bin/env python3
"""listen_late.py PORT...: listens on each port and tells each client its address, as port 84
of peers.py does."""

import socket
import sys
import threading


def answer(server):
    while True:
        client, address = server.accept()
        client.sendall(f"{address[0].removeprefix('::ffff:')} {address[1]}\n".encode())
        client.close()


for port in sys.argv[1:]:
    listener = socket.create_server(("::", int(port)), family=socket.AF_INET6,
                                    dualstack_ipv6=True)
    threading.Thread(target=answer, args=(listener,), daemon=True).start()
threading.Event().wait()
