"""Routing: two BIRDs speak BGP through haven and learn each other's routes."""

import re

from harness.service import IN, Service, exchange, expect, expect_in

GUEST4 = "10.0.2.100"  # haven's guest, as haven makes it by default
BIRD = """
router id {id};
protocol device {{ }}
protocol static {{
    ipv4;
    route {prefix} blackhole;
    route {other_prefix} blackhole;
}}
protocol bgp peer {{
    local as {here};
    neighbor {neighbor} as {there};
    multihop 3;
    {passive}
    connect retry time 1;
    connect delay time 1;
    error wait time 1, 2;
    ipv4 {{ import all; export where source = RTS_STATIC; }};
}}
"""


class Bgp(Service):
    """The server waits for its peer (passive); the client connects."""

    name = "bgp"
    needs = {"bird": "bird2", "birdc": "bird2"}
    ports = ["179/tcp"]

    def server(self, place):
        # A published guest sees who connects by the real address; outside it is haven's host.
        return self.bird(place, "server", 64500, 64501, "192.0.2.0/25", "198.51.100.0/24",
                         place.peer, "passive;")

    def bird(self, place, name, here, there, prefix, other_prefix, neighbor, passive):
        conf = place.write(f"{name}.conf", BIRD.format(
            id=f"10.0.0.{here - 64499}", here=here, there=there, prefix=prefix,
            other_prefix=other_prefix, neighbor=neighbor, passive=passive))
        return ["bird", "-f", "-c", conf, "-s", f"{place.directory}/{name}.ctl",
                "-P", f"{place.directory}/{name}.pid"]

    def ask(self, place, name, *words):
        """birdc speaks to its bird by a Unix socket: no network is needed."""
        return place.prepare("birdc", "-s", f"{place.directory}/{name}.ctl", *words).out

    @exchange("179/tcp", "two BIRDs: routes in both tables, then withdrawn")
    def routes(self, place):
        place.start_client(*self.bird(place, "client", 64501, 64500, "203.0.113.0/24",
                                      "198.18.0.0/15", place.address, ""))
        place.eventually(lambda: re.search(r"peer +BGP.*Established",
                                           self.ask(place, "server", "show", "protocols")),
                         "the session is established")
        for name, prefixes, number in (("server", ("203.0.113.0/24", "198.18.0.0/15"), 64501),
                                       ("client", ("192.0.2.0/25", "198.51.100.0/24"), 64500)):
            for prefix in prefixes:
                place.eventually(lambda: f"[AS{number}i]" in self.ask(
                    place, name, "show", "route", prefix), f"{name} has {prefix}")
        self.ask(place, "client", "disable", "static1")
        place.eventually(lambda: "203.0.113.0/24" not in self.ask(place, "server", "show", "route"),
                         "a route that is withdrawn goes")
        said = self.ask(place, "server", "show", "protocols", "all", "peer")
        expect_in(f"Neighbor address: {place.peer}", said, "whom the server sees")
        if place.direction == IN:
            expect(re.search(rf"Source address: +{GUEST4}", said), "the guest's own address")
