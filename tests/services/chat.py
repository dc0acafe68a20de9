"""Chat: IRC with ngIRCd and two ii; MQTT with mosquitto."""

import os

from harness.service import Service, exchange, expect_equal, expect_in
from support.topology import USER, command

NGIRCD = """
[Global]
Name = irc.service.test
Info = a server of the tests
Listen = 0.0.0.0,::
Ports = 6667
ServerUID = {user}
ServerGID = {user}
[Limits]
MaxNickLength = 16
MaxConnectionsIP = 0
[Options]
DNS = no
Ident = no
PAM = no
[Channel]
Name = #haven
"""
MOSQUITTO = """
listener 1883
allow_anonymous true
listener 8883
certfile {tls.certificate}
keyfile {tls.key}
allow_anonymous true
"""


class Irc(Service):
    name = "ircd"
    needs = {"ngircd": "ngircd", "ii": "ii"}
    ports = ["6667/tcp"]

    def server(self, place):
        return ["/usr/sbin/ngircd", "-n", "-f", place.write("ngircd.conf",
                                                         NGIRCD.format(user=USER))]

    @exchange("6667/tcp", "two users in a channel tell each other things")
    def channel(self, place):
        folders = {}
        for nick, address in (("anna", place.address), ("berta", place.address6)):
            folders[nick] = f"{place.client_folder(nick)}/{address}"
            place.start_client("ii", "-s", address, "-p", "6667", "-n", nick, "-i",
                               os.path.dirname(folders[nick]))
        for folder in folders.values():
            place.eventually(lambda: "MOTD" in self.read(f"{folder}/out"), "the server greets")
            self.write(f"{folder}/in", "/j #haven")
        for nick, folder in folders.items():
            place.eventually(lambda: f"-!- {nick}(" in self.read(f"{folder}/#haven/out"),
                             f"{nick} has joined")
        for nick, other in (("anna", "berta"), ("berta", "anna")):
            self.write(f"{folders[nick]}/#haven/in", f"hello, I am {nick}")
            place.eventually(lambda: f"<{nick}> hello, I am {nick}" in
                             self.read(f"{folders[other]}/#haven/out"), f"{other} reads it")

    def read(self, path):
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def write(self, fifo, line):
        """Into a fifo of ii's; a shell does it, which can be given up when nobody reads."""
        command("sh", "-c", 'printf "%s\\n" "$1" > "$2"', "sh", line, fifo)


class Mqtt(Service):
    name = "mqtt"
    needs = {"mosquitto": "mosquitto", "mosquitto_pub": "mosquitto-clients", "openssl": "openssl"}
    ports = ["1883/tcp", "8883/tcp"]

    def server(self, place):
        return ["/usr/sbin/mosquitto", "-c", place.write("mosquitto.conf",
                                                         MOSQUITTO.format(tls=place.tls))]

    def pass_on(self, place, port, *options):
        """A message that is kept reaches who comes later; one of 1 MB arrives whole."""
        where = ["-h", place.address, "-p", port, *options, "-q", "2"]
        place.client("mosquitto_pub", *where, "-t", "room/a", "-m", "through haven", "-r")
        data = os.urandom(500_000).hex()
        place.client("mosquitto_pub", *where, "-t", "room/b", "-s", "-r", stdin=data)
        said = place.client("mosquitto_sub", *where, "-t", "room/+", "-C", "2", "-v", "-W",
                            "30").out.splitlines()
        expect_in("room/a through haven", said, "messages")
        expect_equal(f"room/b {data}" in said, True, "1 MB as sent")

    @exchange("1883/tcp", "publish and subscribe with QoS 2, 1 MB")
    def plain(self, place):
        self.pass_on(place, "1883")

    @exchange("8883/tcp", "the same over TLS, certificate verified", service="secure-mqtt")
    def tls(self, place):
        self.pass_on(place, "8883", "--cafile", place.tls.ca)
