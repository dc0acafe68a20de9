"""Games: a Teeworlds server, asked and joined over UDP."""

from harness.service import Service, exchange, expect_in


class Teeworlds(Service):
    """Debian's client wants a screen: programs/teeworlds.py does its handshake."""

    name = "teeworlds"
    needs = {"file:/usr/games/teeworlds-server": "teeworlds-server"}
    ports = ["8303/udp"]

    def server(self, place):
        return ["/usr/games/teeworlds-server", "sv_name haven's guest", "sv_port 8303",
                "sv_register 0", "sv_map dm1"]

    @exchange("8303/udp", "name and map asked, a player joins, IPv4 and IPv6")
    def joins(self, place):
        for address in (place.address, place.address6):
            said = place.client("/usr/bin/python3", place.program("teeworlds.py"), address,
                                "8303").out.splitlines()
            for part in ("haven's guest", "dm1", "accepted"):
                expect_in(part, said, "what the server says")
