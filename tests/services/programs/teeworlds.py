"""A client of Teeworlds 0.7, as far as a handshake and a look at the server go (UDP).

  teeworlds.py ADDRESS PORT    says what the server tells, and "accepted"

Packets have 7 bytes before their payload: flags (6 bits) and acknowledgement (10), number of chunks,
the receiver's token. Without connection ("connless") it is 9: both sides' tokens. Each side chooses
a token; one that does not know the other's sends NO_TOKEN and asks.
"""

import os
import select
import socket
import sys

NO_TOKEN = b"\xff\xff\xff\xff"
FLAG_CONTROL, FLAG_CONNLESS = 1, 8
CONTROL_CONNECT, CONTROL_ACCEPT, CONTROL_CLOSE, CONTROL_TOKEN = 1, 2, 4, 5
GET_INFO, INFO = b"\xff\xff\xff\xffgie3", b"\xff\xff\xff\xffinf3"
REQUEST_BYTES = 512  # a request is at least as long as its answer: nobody is flooded through it
TRIES, TRY_SECONDS = 20, 0.5


class Client:
    def __init__(self, address, port):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                    socket.SOCK_DGRAM)
        self.socket.connect((address, port))
        self.token, self.theirs = os.urandom(4), NO_TOKEN

    def control(self, kind, data=b""):
        return bytes((FLAG_CONTROL << 2, 0, 0)) + self.theirs + bytes((kind,)) + data

    def connless(self, data):
        return bytes((FLAG_CONNLESS << 2 | 1,)) + self.theirs + self.token + data

    def ask(self, packet, wanted):
        """Sends until wanted(answer) has something; a packet may be lost."""
        for _ in range(TRIES):
            self.socket.send(packet)
            while select.select([self.socket], [], [], TRY_SECONDS)[0]:
                if found := wanted(self.socket.recv(2048)):
                    return found
        raise SystemExit("no answer")

    def controlled(self, packet, kind):
        """The data of a control packet of this kind to us, or None."""
        flags = packet[0] >> 2
        if flags & FLAG_CONTROL and packet[3:7] == self.token and packet[7] == kind:
            return packet[8:] or b"\0"
        return None

    def handshake(self):
        request = self.control(CONTROL_TOKEN, self.token + bytes(REQUEST_BYTES))
        self.theirs = self.ask(request, lambda got: self.controlled(got, CONTROL_TOKEN))[:4]

    def connect(self):
        request = self.control(CONTROL_CONNECT, self.token + bytes(REQUEST_BYTES))
        self.ask(request, lambda got: self.controlled(got, CONTROL_ACCEPT))

    def close(self):
        self.socket.send(self.control(CONTROL_CLOSE))

    def info(self):
        """Version, name and map that the server tells of itself."""
        def wanted(packet):
            at = packet.find(INFO)
            return packet[at + len(INFO):] if at == 9 and packet[1:5] == self.token else None

        answer = self.ask(self.connless(GET_INFO + b"\x07"), wanted)
        return [part.decode() for part in answer[1:].split(b"\0")[:4]]


if __name__ == "__main__":
    client = Client(sys.argv[1], int(sys.argv[2]))
    client.handshake()
    print(*client.info(), sep="\n")
    client.connect()
    print("accepted")
    client.close()
