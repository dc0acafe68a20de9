#!/usr/bin/env python3
"""Bulk flows of the kernel's own TCP through badwire: one JSON line with the bytes of each.

  badwire --run SPEC bench/kernel_flows.py [options]

Sends from network a to network b. The receiver counts, from its first byte on. As root it goes before
other programs: one that is stopped while it holds a socket acknowledges late and all at once,
which makes the sender's bursts, and its losses.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time

ADDRESS = "10.0.0.2"
PORT = 5001
BLOCK = 1 << 16
TCP_CONGESTION = 13
TCP_WINDOW_CLAMP = 10


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flows", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--congestion", default="cubic")
    parser.add_argument("--sndbuf", type=int, default=0, help="SO_SNDBUF of the sender")
    parser.add_argument("--rcvbuf", type=int, default=0, help="SO_RCVBUF of the receiver")
    parser.add_argument("--clamp", type=int, default=0, help="TCP_WINDOW_CLAMP of the receiver")
    parser.add_argument("--sysctl", action="append", default=[], help="NAME=VALUE, in both networks")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def set_sysctls(settings):
    for setting in settings:
        name, value = setting.split("=", 1)
        with open("/proc/sys/" + name.replace(".", "/"), "w", encoding="ascii") as file:
            file.write(value)


def receive_flow(connection, seconds, counts, index):
    block = bytearray(BLOCK)
    got = connection.recv_into(block, BLOCK, socket.MSG_TRUNC)  # not copied
    start = time.monotonic()
    connection.settimeout(seconds)
    total = 0
    try:
        while time.monotonic() - start < seconds:
            got = connection.recv_into(block, BLOCK, socket.MSG_TRUNC)
            if not got:
                break
            total += got
    except TimeoutError:
        pass
    counts[index] = total / (time.monotonic() - start)
    connection.close()


def receive(options):
    set_sysctls(options.sysctl)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.rcvbuf:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.rcvbuf)
    if options.clamp:
        listener.setsockopt(socket.IPPROTO_TCP, TCP_WINDOW_CLAMP, options.clamp)
    listener.bind((ADDRESS, PORT))
    listener.listen(64)
    print("listening", flush=True)
    rates = [0] * options.flows
    threads = []
    for index in range(options.flows):
        connection, _ = listener.accept()
        threads.append(threading.Thread(target=receive_flow,
                                        args=(connection, options.seconds, rates, index)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    print(json.dumps({"bytes_per_second": [round(rate) for rate in rates]}), flush=True)


def send_flow(options):
    flow = socket.socket()
    flow.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, options.congestion.encode())
    if options.sndbuf:
        flow.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, options.sndbuf)
    flow.connect((ADDRESS, PORT))
    block = bytes(BLOCK)
    try:
        while True:
            flow.sendall(block)
    except OSError:
        pass


def main():
    options = parse()
    if os.geteuid() == 0:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pass
    if options.receive:
        receive(options)
        return 0
    set_sysctls(options.sysctl)
    with subprocess.Popen(["badwire", "--in", "b", *sys.argv, "--receive"],
                          stdout=subprocess.PIPE, text=True) as receiver:
        receiver.stdout.readline()
        for _ in range(options.flows):
            threading.Thread(target=send_flow, args=(options,), daemon=True).start()
        print(receiver.stdout.read().strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
