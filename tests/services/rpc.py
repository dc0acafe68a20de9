"""Programs that call each other: gRPC, unary and streaming; a REST API."""

import json

from harness.service import Service, exchange, expect_equal

KINDS = ["unary ok", "server streaming ok", "client streaming ok", "both ok", "error ok"]


class Grpc(Service):
    """No port is gRPC's own; 50051 is what its examples use."""

    name = "grpc"
    needs = {"file:/usr/lib/python3/dist-packages/grpc/__init__.py": "python3-grpcio",
             "openssl": "openssl"}
    ports = ["50051/tcp", "50052/tcp"]

    def server(self, place):
        return ["/usr/bin/python3", place.program("grpc_calls.py"), "serve",
                place.tls.certificate, place.tls.key]

    def call(self, place, *words):
        said = place.client("/usr/bin/python3", f"{place.directory}/grpc_calls.py", "call", *words)
        expect_equal(said.out.splitlines(), KINDS, "calls")

    @exchange("50051/tcp", "unary, streams of 8 MB each way, a dialogue, an error")
    def plain(self, place):
        self.call(place, f"{place.address}:50051")

    @exchange("50052/tcp", "the same over TLS, certificate verified, IPv6")
    def tls(self, place):
        self.call(place, f"[{place.address6}]:50052", place.tls.ca)


class Rest(Service):
    """The server is ours (programs/rest.py), on Python's."""

    name = "http-alt"
    needs = {"curl": "curl"}
    ports = ["8080/tcp"]

    def server(self, place):
        return ["/usr/bin/python3", place.program("rest.py")]

    def call(self, place, method, path, value=None):
        """Status, and what the JSON says."""
        body = ["--json", json.dumps(value)] if value is not None else []
        said = place.client("curl", "-sS", "-m", "30", "-X", method, *body, "-w", "\\n%{http_code}",
                            f"http://{place.address}:8080{path}").out
        text, status = said.rsplit("\n", 1)
        return int(status), json.loads(text)

    @exchange("8080/tcp", "a REST API: PUT, GET, list, DELETE, 404")
    def things(self, place):
        thing = {"port": 8080, "name": "äöü", "list": list(range(2000))}
        expect_equal(self.call(place, "PUT", "/things/a", thing), (201, thing), "PUT")
        expect_equal(self.call(place, "PUT", "/things/b", {}), (201, {}), "PUT")
        expect_equal(self.call(place, "GET", "/things/a"), (200, thing), "GET")
        expect_equal(self.call(place, "GET", "/things"), (200, ["a", "b"]), "list")
        expect_equal(self.call(place, "DELETE", "/things/a"), (200, {}), "DELETE")
        expect_equal(self.call(place, "GET", "/things/a")[0], 404, "GET of what is gone")
