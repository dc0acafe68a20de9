"""A small REST API on port 8080: things under /things/NAME, as JSON; GET, PUT, DELETE."""

import http.server
import json
import socket

THINGS = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        name = self.path.removeprefix("/things/")
        if self.path == "/things":
            self.answer(200, sorted(THINGS))
        elif name in THINGS:
            self.answer(200, THINGS[name])
        else:
            self.answer(404, {"error": f"no {name}"})

    def do_PUT(self):
        name = self.path.removeprefix("/things/")
        created = name not in THINGS
        THINGS[name] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(201 if created else 200, THINGS[name])

    def do_DELETE(self):
        self.answer(200 if THINGS.pop(self.path.removeprefix("/things/"), None) else 404, {})


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


if __name__ == "__main__":
    Server(("::", 8080), Handler).serve_forever()
