#!/usr/bin/env python3
"""load.py ADDRESS PORT REQUESTS CLIENTS --keep-alive|--close: HTTP load from many clients
at once; prints {"good": N, "bad": N} and exits 1 when any was bad."""

import asyncio
import json
import sys


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(head)
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))
            return
    raise ValueError("no length")


async def client(address, port, counts, left, close):
    reader = writer = None
    request = (f"GET / HTTP/1.1\r\nHost: x\r\n{'Connection: close' if close else 'X: y'}"
               "\r\n\r\n").encode()
    while left[0] > 0:
        left[0] -= 1
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(address, port)
            writer.write(request)
            await read_answer(reader)
            counts["good"] += 1
            if close:
                if await reader.read(1):
                    raise ValueError("bytes after the end")
                writer.close()
                writer = None
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            print(repr(error), file=sys.stderr)
            counts["bad"] += 1
            writer = None
    if writer:
        writer.close()


async def main():
    address, port, requests, clients, mode = sys.argv[1:]
    counts = {"good": 0, "bad": 0}
    left = [int(requests)]
    await asyncio.gather(*(client(address, int(port), counts, left, mode == "--close")
                           for _ in range(int(clients))))
    print(json.dumps(counts))
    return 1 if counts["bad"] else 0


sys.exit(asyncio.run(main()))
