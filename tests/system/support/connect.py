#!/usr/bin/env python3
"""connect.py ADDRESS PORT [--timeout S] [--send TEXT] [--half-close] [--quiet|--quiet-text]

One TCP connection, and one line that says how it went:
    connect: ECONNREFUSED after N ms | connect: no answer in S s
    read: ECONNRESET | read: N bytes[, first line]
--quiet leaves the text out; --quiet-text prints the text alone.
"""

import argparse
import errno
import socket
import sys
import time


def name(error):
    return errno.errorcode.get(error.errno, str(error))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("--send", default="")
    parser.add_argument("--half-close", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--quiet-text", action="store_true")
    options = parser.parse_args()

    started = time.monotonic()
    try:
        connection = socket.create_connection((options.address, options.port), options.timeout)
    except TimeoutError as error:
        if error.errno == errno.ETIMEDOUT:
            return f"connect: ETIMEDOUT after {(time.monotonic() - started) * 1e3:.0f} ms"
        return f"connect: no answer in {options.timeout:g} s"
    except OSError as error:
        return f"connect: {name(error)} after {(time.monotonic() - started) * 1e3:.0f} ms"
    data = b""
    try:
        connection.sendall(options.send.encode())
        if options.half_close:
            connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            data += part
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            # Only a connection that was never established ends so (RFC 9293 section 3.9.2.2): the ICMP error came
            # between the kernel's wake-up and the question for SO_ERROR, and the first call after it tells.
            return f"connect: {name(error)} after {(time.monotonic() - started) * 1e3:.0f} ms"
        return f"read: {name(error)}"
    text = data.decode(errors="replace").split("\n")[0]
    if options.quiet_text:
        return text
    return f"read: {len(data)} bytes" + ("" if options.quiet else f", {text}")


sys.stdout.write(main() + "\n")  # in one piece, whatever others print
