#!/usr/bin/env python3
"""many.py ADDRESS PORT [--sequential N] [--concurrent N]: echo connections, one after the
other and many at a time. Prints "ready" after a small round, waits for a line on standard input,
runs, prints "all good" (or what went wrong), and waits for the end of standard input."""

import argparse
import resource
import socket
import sys


def exchange(connection, text):
    connection.sendall(text)
    got = b""
    while len(got) < len(text):
        part = connection.recv(len(text) - len(got))
        if not part:
            raise OSError("closed early")
        got += part
    if got != text:
        raise OSError("other bytes came back")


def sequential(target, count):
    for number in range(count):
        with socket.create_connection(target, 20) as connection:
            exchange(connection, b"%d\n" % number)


def concurrent(target, count):
    connections = [socket.create_connection(target, 20) for _ in range(count)]
    for number, connection in enumerate(connections):
        exchange(connection, b"%d\n" % number)
    for connection in connections:
        connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--sequential", type=int, default=0)
    parser.add_argument("--concurrent", type=int, default=0)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    target = (options.address, options.port)
    sequential(target, 100)
    concurrent(target, 100)
    print("ready", flush=True)
    sys.stdin.readline()
    sequential(target, options.sequential)
    concurrent(target, options.concurrent)
    print("all good", flush=True)
    sys.stdin.read()


try:
    main()
except OSError as failure:
    print(failure, flush=True)
