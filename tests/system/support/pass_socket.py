#!/usr/bin/env python3
"""pass_socket.py UID NAME [HOST:PORT]: asks a network's control socket to connect, as any program may.

With HOST:PORT: sends "hello" there, ends that direction, and prints what came back and then the rows of the answer.
Without: hands over what must not be taken, 50 times, and prints the last row of each kind of try.
"""

import os
import socket
import sys


def open_control():
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.settimeout(10)
    control.connect(f"\0haven/{sys.argv[1]}/{sys.argv[2]}")
    return control


def read_all(source):
    data = b""
    while part := source.recv(65536):
        data += part
    return data.decode()


def converse(target):
    control = open_control()
    mine, passed = socket.socketpair()
    mine.settimeout(10)
    socket.send_fds(control, [b'{"request":"connect","to":"%s"}\n' % target.encode()],
                    [passed.fileno()])
    passed.close()
    mine.sendall(b"hello")
    mine.shutdown(socket.SHUT_WR)
    print(read_all(mine))
    rows = b""
    while not rows.endswith(b'"rows":3}\n'):
        rows += control.recv(65536)
    print(rows.decode(), end="")


def misbehave(request, descriptors):
    """Returns the last row; what was passed has to be closed at the other end."""
    control = open_control()
    socket.send_fds(control, [request], descriptors)
    control.shutdown(socket.SHUT_WR)
    lines = read_all(control).splitlines()
    return lines[-1] if lines else "the end"


def main():
    if len(sys.argv) > 3:
        converse(sys.argv[3])
        return
    connect = b'{"request":"connect","to":"localhost:7"}\n'
    null = os.open("/dev/null", os.O_RDWR)
    datagrams = socket.socketpair(type=socket.SOCK_DGRAM)
    pair = socket.socketpair()
    tries = [(connect, [null]), (connect, [datagrams[0].fileno()]), (connect, []),
             (connect, [pair[0].fileno()] * 5), (connect, [pair[0].fileno()] * 2),
             (b'{"request":"connect"', [null]), (b'{"request":"info"}\n', [null]),
             (b'{"request":"connect","to":"10.9.9.9:1"}\n', [pair[0].fileno()])]
    for request, descriptors in tries:
        for _ in range(50):
            last = misbehave(request, descriptors)
        print(last)


main()
