#!/usr/bin/env python3
"""Both ends of bench/tls: a server of bytes in the clear, and a client of them through TLS.

  tls_peer.py serve ADDRESS PORT
  tls_peer.py out|in|accept ADDRESS PORT SECONDS CA      one line of JSON

A client's first byte says what it wants: I (bytes come in), O (it sends some), or nothing and the end.
"""

import json
import socket
import ssl
import sys
import threading
import time

BLOCK = 256 * 1024


def serve_one(connection):
    space = bytearray(BLOCK)
    try:
        with connection:
            wish = connection.recv(1)
            if wish == b"I":
                while True:
                    connection.sendall(space)
            while connection.recv_into(space):
                pass
    except OSError:
        pass


def serve(address, port):
    listener = socket.create_server((address, port), backlog=256)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def dial(context, address, port):
    plain = socket.create_connection((address, port), timeout=20)
    return context.wrap_socket(plain, server_hostname="bench.test", suppress_ragged_eofs=True)


def move(context, how, address, port, seconds):
    """The bytes of so many seconds; the first fifth is for warming up."""
    space = bytearray(BLOCK)
    with dial(context, address, port) as connection:
        connection.sendall(b"I" if how == "in" else b"O")
        step = connection.recv_into if how == "in" else connection.send
        count, begin, warm = 0, time.monotonic(), False
        while True:
            count += step(space)
            now = time.monotonic()
            if not warm and now - begin > seconds / 5:
                count, begin, warm = 0, now, True
            if warm and now - begin >= seconds:
                return {"bytes": count, "seconds": now - begin, "cipher": connection.cipher()[0]}


def accept(context, address, port, seconds):
    """Connections one after the other, each with a whole handshake."""
    count, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        dial(context, address, port).close()
        count += 1
    return {"connections": count, "seconds": time.monotonic() - begin}


def main():
    how, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if how == "serve":
        serve(address, port)
    context = ssl.create_default_context(cafile=sys.argv[5])
    seconds = float(sys.argv[4])
    if how == "accept":
        print(json.dumps(accept(context, address, port, seconds)))
    else:
        print(json.dumps(move(context, how, address, port, seconds)))


if __name__ == "__main__":
    main()
