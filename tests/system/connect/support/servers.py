"""The servers of the tests of `haven connect`, in hvt-out; started by the first test that needs them.

    4430  nginx, HTTPS: a good certificate, with its chain        4433  for another name
    4431  one that has expired                                    4434  of an issuer that is not trusted
    4432  one that is not valid yet                               4435  self-signed
    4436  of an issuer that calls itself as the trusted one, with another key: a man in the middle
    4438  the same, which is sent along, and says itself that its key is another one
    4437  openssl s_server, TLS 1.1 alone
    and those of web.py

All are asked for by out.test, which is 10.77.0.2 and fd77::2.
"""

import os

from support.topology import OUT, wait_listening

from .authority import Authority

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = "DNS:out.test,DNS:localhost,IP:10.77.0.2,IP:127.0.0.1,IP:::1"
SERVER = """
	server {{
		listen [::]:{port} ssl ipv6only=off;
		ssl_certificate {dir}/{name}.pem; ssl_certificate_key {dir}/{name}.key;
		location / {{ return 200 "{name}\\n"; }}
	}}"""


class Servers:
    def __init__(self, topology):
        self.directory = f"{topology.directory}/connect"
        os.makedirs(self.directory)
        self.certificates()
        self.ca = f"{self.directory}/trusted-root.pem"
        self.start(topology)
        os.chmod(self.directory, 0o755)
        for name in os.listdir(self.directory):  # the user's haven reads them, too
            os.chmod(f"{self.directory}/{name}", 0o755)

    def certificates(self):
        trusted = Authority(self.directory, "trusted")
        trusted.issue("good", "out.test", NAMES)
        trusted.issue("expired", "out.test", NAMES, days=(-5, -1))
        trusted.issue("early", "out.test", NAMES, days=(1, 5))
        trusted.issue("other", "other.test", "DNS:other.test")
        trusted.self_signed("self", "out.test", NAMES)
        Authority(self.directory, "stranger", "Somebody Else").issue("unknown", "out.test", NAMES)
        Authority(self.directory, "forged", forged=True).issue("middleman", "out.test", NAMES)
        Authority(self.directory, "impostor").issue("pretender", "out.test", NAMES)

    def start(self, topology):
        kinds = {"good": 4430, "expired": 4431, "early": 4432, "other": 4433, "unknown": 4434, "self": 4435,
                 "middleman": 4436, "pretender": 4438}
        servers = "".join(SERVER.format(port=port, dir=self.directory, name=name)
                          for name, port in kinds.items())
        with open(f"{HERE}/nginx.conf", encoding="ascii") as file:
            text = file.read()
        with open(f"{self.directory}/conf", "w", encoding="ascii") as file:
            file.write(text.format(dir=self.directory, servers=servers))
        topology.start(OUT, "nginx", "-c", f"{self.directory}/conf", "-e",
                       f"{self.directory}/error.log")
        topology.start(OUT, "openssl", "s_server", "-accept", "4437", "-tls1_1", "-cipher",
                       "ALL:@SECLEVEL=0", "-quiet", "-cert", f"{self.directory}/good.pem",
                       "-key", f"{self.directory}/good.key")
        topology.start(OUT, "python3", f"{HERE}/web.py", f"{self.directory}/good.pem",
                       f"{self.directory}/good.key")
        wait_listening(OUT, 4430, 4436, 4437, 4438, 8081, 8443, 8444, 8445, 9)


def servers(topology):
    """One for all tests of a run."""
    if not hasattr(topology, "connect_servers"):
        topology.connect_servers = Servers(topology)
    return topology.connect_servers
