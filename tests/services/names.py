"""DNS over UDP and TCP: dnsmasq and dig, and haven's own resolver in between."""

from harness.service import OUT, Service, exchange, expect_equal, expect_in

TEXT = "haven " * 40  # 240 bytes
WIDE, LARGE = 12, 40   # as many TXT records: 3 KB, more than a packet; 10 KB, more than dig's EDNS takes


class Dns(Service):
    name = "domain"
    group = "check"
    needs = {"dnsmasq": "dnsmasq-base", "dig": "bind9-dnsutils"}
    ports = ["53/udp", "53/tcp"]

    def server(self, place):
        texts = [f"--txt-record={name},{number:02} {TEXT}"
                 for name, count in (("wide.test", WIDE), ("large.test", LARGE))
                 for number in range(count)]
        return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                "--no-hosts", "--pid-file", "--log-facility=-", "--user=", "--group=",
                "--edns-packet-max=8192", "--address=/small.test/192.0.2.53",
                "--address=/small.test/2001:db8::53", *texts]

    def ask(self, place, *words):
        return place.client("dig", "+tries=2", "+time=5", *words).out

    def expect_texts(self, answer, count, transport):
        texts = [line for line in answer.splitlines() if TEXT in line]
        expect_equal(len(texts), count, f"TXT records ({answer[-600:]})")
        expect_in(f"({transport})", answer, "transport")

    @exchange("53/udp", "A and AAAA, over IPv4 and IPv6")
    def small(self, place):
        for server in (place.address, place.address6):
            for kind, wanted in (("A", "192.0.2.53"), ("AAAA", "2001:db8::53")):
                expect_equal(self.ask(place, f"@{server}", "+short", "small.test", kind).strip(),
                             wanted, kind)

    @exchange("53/udp", "TXT of 3 KB with EDNS: an answer in fragments")
    def large_udp(self, place):
        self.expect_texts(self.ask(place, f"@{place.address}", "+notcp", "+ignore",
                                   "+bufsize=8192", "wide.test", "TXT"), WIDE, "UDP")

    @exchange("53/tcp", "TXT of 10 KB: truncated over UDP, asked again over TCP")
    def large_tcp(self, place):
        self.expect_texts(self.ask(place, f"@{place.address}", "large.test", "TXT"), LARGE, "TCP")

    @exchange("53/udp", "by haven's resolver, which asks the host's", directions=(OUT,))
    def resolver(self, place):
        expect_equal(self.ask(place, "+short", "small.test").strip(), "192.0.2.53", "A")
        self.expect_texts(self.ask(place, "large.test", "TXT"), LARGE, "TCP")
