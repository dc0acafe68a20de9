#!/usr/bin/env python3
"""packets.py KIND ADDRESS PORT [--second PORT]: packets that no socket would send, by a raw frame on the guest's interface.

    syn          a TCP request; to an IPv6 address for what has a colon (an IPv4-mapped one as well)
    udp          a datagram, whole
    fragments    a datagram in fragments of 8 bytes: the first has the ports and nothing else
    backward     the same, the last first
    overlap      the first fragment again with --second as port, after the one with PORT
    tcp-fragments   a TCP request in fragments of 8 bytes: flags are in the second
    hidden       IPv6: the first fragment ends before the UDP header (RFC 7112)

Prints one word as dial.py does. Needs CAP_NET_RAW.
"""

import argparse
import ipaddress
import json
import os
import select
import socket
import struct
import subprocess
import time

TRIES, WAIT_SECONDS = 3, 0.4


def output(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


class Link:
    """The guest's interface, and the other end's address on it."""

    def __init__(self, is_v6):
        route = json.loads(output("ip", "-j", "-6" if is_v6 else "-4", "route", "show", "default"))[0]
        self.gateway, self.device = route["gateway"], route["dev"]
        subprocess.run(["ping", "-c", "1", "-W", "2", self.gateway], capture_output=True, check=False)
        near = json.loads(output("ip", "-j", "neigh", "show", self.gateway, "dev", self.device))[0]
        self.far_mac = bytes.fromhex(near["lladdr"].replace(":", ""))
        [link] = json.loads(output("ip", "-j", "address", "show", "dev", self.device))
        self.near_mac = bytes.fromhex(link["address"].replace(":", ""))
        self.address = next(a["local"] for a in link["addr_info"] if a["scope"] == "global"
                            and a["family"] == ("inet6" if is_v6 else "inet"))
        self.type = 0x86dd if is_v6 else 0x0800
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((self.device, 3))

    def send(self, packet):
        self.socket.send(self.far_mac + self.near_mac + struct.pack(">H", self.type) + packet)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return ipaddress.ip_address(address).packed


def with_sum(source, destination, protocol, segment, at):
    head = packed(source) + packed(destination) + struct.pack(">IBBBB", len(segment), 0, 0, 0, protocol)
    if len(packed(source)) == 4:
        head = packed(source) + packed(destination) + struct.pack(">BBH", 0, protocol, len(segment))
    return segment[:at] + struct.pack(">H", checksum(head + segment)) + segment[at + 2:]


def udp(source, destination, source_port, port):
    data = b"?" * 32
    segment = struct.pack(">HHHH", source_port, port, 8 + len(data), 0) + data
    return with_sum(source, destination, 17, segment, 6)


def syn(source, destination, source_port, port):
    segment = struct.pack(">HHIIBBHHH", source_port, port, 1000, 0, 0x60, 2, 65535, 0, 0)
    return with_sum(source, destination, 6, segment + struct.pack(">BBH", 2, 4, 1400), 16)


def ip4(source, destination, protocol, data, identification, offset=0, more=False):
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), identification,
                       (0x2000 if more else 0) | offset // 8, 64, protocol, 0)
    head += packed(source) + packed(destination)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + data


def ip6(source, destination, next_header, data):
    return struct.pack(">IHBB", 6 << 28, len(data), next_header, 64) + packed(source) \
        + packed(destination) + data


def fragments4(source, destination, protocol, segment, identification, size=8):
    return [ip4(source, destination, protocol, segment[at:at + size], identification, at,
                at + size < len(segment)) for at in range(0, len(segment), size)]


def hidden6(source, destination, segment, identification):
    """Destination options fill the first fragment; UDP begins in the second."""
    options = struct.pack(">BBBB", 17, 0, 1, 4) + b"\0" * 4
    data = options + segment
    parts = [(0, data[:8], 1), (8, data[8:], 0)]
    return [ip6(source, destination, 44, struct.pack(">BBHI", 60, 0, offset | more, identification)
                + part) for offset, part, more in parts]


def packets(options, source, source_port):
    """The frames' payloads, for one try."""
    there, identification = options.address, int.from_bytes(os.urandom(2), "big")
    if options.kind in ("syn", "tcp-fragments"):
        segment = syn(source, there, source_port, options.port)
        if ":" in there:
            return [ip6(source, there, 6, segment)]
        size = 8 if options.kind == "tcp-fragments" else 1480
        return fragments4(source, there, 6, segment, identification, size)
    segment = udp(source, there, source_port, options.port)
    if options.kind == "hidden":
        return hidden6(source, there, segment, identification)
    if ":" in there:
        return [ip6(source, there, 17, segment)]
    size = 1480 if options.kind == "udp" else 8
    parts = fragments4(source, there, 17, segment, identification, size)
    if options.kind == "overlap":
        other = udp(source, there, source_port, options.second)
        parts.insert(1, ip4(source, there, 17, other[:8], identification, 0, True))
    return parts[::-1] if options.kind == "backward" else parts


def answer_of(frame, is_v6, source_port):
    """A word when this frame is an answer to our port."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind != (0x86dd if is_v6 else 0x0800):
        return None
    head = 40 if is_v6 else (frame[14] & 15) * 4
    protocol = frame[20] if is_v6 else frame[23]
    data = frame[14 + head:]
    if protocol in (1, 58) and data[0] in (3, 1):
        return "refused"
    if protocol not in (6, 17) or int.from_bytes(data[2:4], "big") != source_port:
        return None
    if protocol == 17:
        return "served"
    return {0x12: "served"}.get(data[13] & 0x17, "refused")


def hear(link, is_v6, source_port):
    end = time.monotonic() + WAIT_SECONDS
    while (left := end - time.monotonic()) > 0:
        if not select.select([link.socket], [], [], left)[0]:
            break
        frame, (_, _, kind, *_) = link.socket.recvfrom(65536)
        word = answer_of(frame, is_v6, source_port) if kind != socket.PACKET_OUTGOING else None
        if word:
            return word
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind")
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--second", type=int)
    options = parser.parse_args()
    is_v6 = ":" in options.address
    link = Link(is_v6)
    for number in range(TRIES):
        source_port = 20000 + int.from_bytes(os.urandom(2), "big") % 20000 + number
        for packet in packets(options, link.address, source_port):
            link.send(packet)
        word = hear(link, is_v6, source_port)
        if word:
            return word
    return "silent"


print(main())
