#!/usr/bin/env python3
"""dial.py tcp|udp ADDRESS PORT [--from PORT] [--say TEXT] [--count N] [--after-closing]: says something, and prints how it went.

    served     something came back
    refused    connection refused, or ICMP says so
    reset      the connection was ended after it was there
    silent     nothing at all, in 2 seconds

--say TEXT: something else than "?" and two line ends.
--count N: so many, each while those before are held: N words. --after-closing: closes the first then, and prints how often one more
was refused until it was served.
"""

import argparse
import socket


def dial(options):
    """(word, socket or None)"""
    kind = socket.SOCK_STREAM if options.protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET  # names: by IPv4
    client = socket.socket(family, kind)
    client.settimeout(2)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.source:
        client.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", options.source))
    connected = False
    try:
        client.connect((options.address, options.port))
        connected = options.protocol == "tcp"
        for _ in range(1 if connected else 3):
            client.send(options.say.encode().decode("unicode_escape").encode("latin-1"))
            try:
                return ("served" if client.recv(1000) else "reset"), client
            except TimeoutError:
                pass
        return "silent", client
    except TimeoutError:
        return "silent", client
    except ConnectionResetError:  # by connect() itself, when it came that soon
        return "reset", client
    except OSError:
        return ("reset" if connected else "refused"), client


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("protocol", choices=("tcp", "udp"))
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--from", type=int, default=0, dest="source")
    parser.add_argument("--say", default="?\\r\\n\\r\\n", help="with backslash escapes")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--after-closing", action="store_true")
    options = parser.parse_args()
    held = [dial(options) for _ in range(options.count)]
    print(" ".join(word for word, _ in held))
    if options.after_closing:
        held[0][1].close()
        tries = 0
        while tries < 1000 and dial(options)[0] != "served":
            tries += 1
        print("served again" if tries < 1000 else "never again")


main()
