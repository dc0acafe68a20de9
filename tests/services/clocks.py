"""Time: NTP between two chronyds, which do not touch the clock."""

import re

from harness.service import Service, exchange, expect, program
from support.topology import USER

SERVER = """
local stratum 7
allow all
port 123
cmdport 0
bindcmdaddress /
pidfile {dir}/server.pid
driftfile {dir}/drift
"""
CLIENT = "server {address} iburst\npidfile {dir}/client.pid\ncmdport 0\nbindcmdaddress /\n"


class Ntp(Service):
    name = "ntp"
    needs = {"chronyd": "chrony"}
    ports = ["123/udp"]

    def server(self, place):
        return self.chronyd(place, "-x", "-d", "-f",
                            place.write("server.conf", SERVER.format(dir=place.directory)))

    def chronyd(self, place, *words):
        return [program("chronyd"), "-U", "-u", USER, *words]

    @exchange("123/udp", "chronyd asks chronyd: the same time, IPv4 and IPv6")
    def time(self, place):
        for number, address in enumerate((place.address, place.address6)):
            conf = place.write(f"client{number}.conf",
                               CLIENT.format(address=address, dir=place.client_folder()))
            said = place.client(*self.chronyd(place, "-Q", "-t", "30", "-f", conf))
            found = re.search(r"System clock wrong by (-?[\d.]+) seconds", said.err + said.out)
            expect(found, f"an answer: {said.err}")
            expect(abs(float(found.group(1))) < 1, "the same clock tells the same time")
