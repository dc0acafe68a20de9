#!/usr/bin/env python3
"""raw.py ADDRESS PORT TEXT [TEXT...] [--segments N]: sends these texts (with backslash escapes), each after the answer to the one
before, and reads until the end. Prints one word as dial.py does, then what came.

served: the last thing before the end of the stream was a whole HTTP answer.
"""

import argparse
import socket


def read(connection, to_the_end):
    data = b""
    while part := connection.recv(65536):
        data += part
        if not to_the_end:
            break
    return data


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--segments", type=int, default=1 << 20)
    options = parser.parse_args()
    try:
        connection = socket.create_connection((options.address, options.port), 3)
    except TimeoutError:
        return "silent"
    except OSError:
        return "refused"
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    try:
        for number, text in enumerate(options.texts, 1):
            text = text.encode().decode("unicode_escape").encode("latin-1")
            for at in range(0, len(text), options.segments):
                connection.sendall(text[at:at + options.segments])
            data += read(connection, number == len(options.texts))
    except TimeoutError:
        return f"silent\n{data}"
    except OSError:
        return f"reset\n{data}"
    return f"{'served' if data.startswith(b'HTTP/') else 'reset'}\n{data}"


print(main())
