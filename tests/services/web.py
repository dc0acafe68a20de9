"""The web: HTTP/1.1 and HTTPS (HTTP/1.1 and HTTP/2) with nginx and curl; HTTP/3 with ngtcp2's pair."""

import re

from harness.place import digest_of
from harness.service import Service, exchange, expect, expect_equal, expect_in

NGINX = """
daemon off; worker_processes 1; error_log stderr warn; pid {dir}/pid;
events {{ worker_connections 1024; }}
http {{
    access_log off; root {dir}/htdocs; client_max_body_size 64m; client_body_temp_path {dir}/a;
    proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d;
    scgi_temp_path {dir}/e;
    server {{
        listen 80; listen [::]:80;
        listen 443 ssl http2; listen [::]:443 ssl http2;
        ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key};
        location = /who {{ return 200 "$remote_addr $server_protocol\\n"; }}
    }}
}}
"""
PAGE_BYTES = 4 * 1024 * 1024


class Nginx(Service):
    name = "http"
    group = "check"
    needs = {"nginx": "nginx-light", "curl": "curl", "openssl": "openssl"}
    ports = ["80/tcp", "443/tcp"]

    def server(self, place):
        place.folder("htdocs")
        _, self.digest = place.blob("htdocs/page", PAGE_BYTES)
        conf = place.write("nginx.conf", NGINX.format(dir=place.directory, tls=place.tls))
        return ["nginx", "-c", conf, "-e", "stderr"]

    def fetch(self, place, *options, urls=1):
        """The page arrives whole, `urls` times at once; returns [HTTP version, connections made] of each."""
        folder = place.client_folder()
        words = [word for number in range(urls) for word in ("-o", f"{folder}/{number}", options[-1])]
        done = place.client("curl", "-sS", "-m", "30", "--no-progress-meter", "--cacert",
                            place.tls.ca, "-w", "%{http_version} %{num_connects}\n",
                            *options[:-1], *words)
        for number in range(urls):
            expect_equal(digest_of(f"{folder}/{number}"), self.digest, f"sha256 of {options[-1]}")
        return sorted(done.out.splitlines())

    def who(self, place, url, *options):
        """Whom the server sees."""
        return place.client("curl", "-sS", "-m", "30", "--cacert", place.tls.ca, *options,
                            url).out.split()

    @exchange("80/tcp", "HTTP/1.1: 4 MB, IPv4 and IPv6, the real client seen")
    def plain(self, place):
        for host, peer in ((place.address, place.peer), (f"[{place.address6}]", place.peer6)):
            expect_equal(self.fetch(place, f"http://{host}/page"), ["1.1 1"], "version")
            expect_equal(self.who(place, f"http://{host}/who"), [peer, "HTTP/1.1"], "who")

    @exchange("443/tcp", "HTTP/1.1 over TLS, certificate verified: 4 MB", service="https")
    def tls(self, place):
        expect_equal(self.fetch(place, "--http1.1", f"https://{place.address}/page"), ["1.1 1"],
                     "version")

    @exchange("443/tcp", "HTTP/2 (ALPN): 4 MB, twice, in one connection", service="https")
    def http2(self, place):
        said = self.fetch(place, "--http2", "--parallel", f"https://{place.address}/page", urls=2)
        expect_equal(said, ["2 0", "2 1"], "versions and connections")

    @exchange("443/tcp", "a certificate for another name is refused", service="https")
    def wrong_name(self, place):
        done = place.client("curl", "-sS", "-m", "30", "--cacert", place.tls.ca, "--connect-to",
                            f"other.test:443:{place.address}:443", "https://other.test/who",
                            status=60)
        expect_in("other.test", done.err, "curl's reason")


class Http3(Service):
    name = "https"
    needs = {"gtlsserver": "ngtcp2-server", "gtlsclient": "ngtcp2-client",
             "openssl": "openssl"}
    ports = ["443/udp"]

    def server(self, place):
        place.folder("htdocs")
        _, self.digest = place.blob("htdocs/page", PAGE_BYTES)
        return ["gtlsserver", "--quiet", f"--htdocs={place.directory}/htdocs", "*", "443",
                place.tls.key, place.tls.certificate]

    @exchange("443/udp", "HTTP/3 over QUIC: 4 MB")
    def fetch(self, place):
        folder = place.client_folder()
        done = place.client("gtlsclient", "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close", f"--download={folder}",
                            place.address, "443", f"https://{place.address}/page")
        expect_equal(digest_of(f"{folder}/page"), self.digest, "sha256")
        expect(re.search(r"Negotiated ALPN is h3", done.out + done.err), "HTTP/3 was spoken")
