"""Certificates of a test authority, made with openssl(1) in a directory that users may read."""

import os
import subprocess
import time

CONFIG = """
[ca]
default_ca = own
[own]
dir = {place}
new_certs_dir = {place}
database = {place}/index
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""
DAY = 86400


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)


def date(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


class Authority:
    """Files NAME.pem (the certificate) and NAME.key; its own are ca.pem and ca.key."""

    def __init__(self, place, subject="Test authority"):
        self.place = place
        os.makedirs(place, exist_ok=True)
        os.chmod(place, 0o777)
        with open(f"{place}/config", "w", encoding="ascii") as file:
            file.write(CONFIG.format(place=place))
        with open(f"{place}/index", "w", encoding="ascii"):
            pass
        self.new_key("ca")
        openssl("req", "-x509", "-key", self.key("ca"), "-out", self.file("ca"), "-days", "30",
                "-subj", f"/CN={subject}", "-addext", "keyUsage=critical,keyCertSign")

    def file(self, name):
        return f"{self.place}/{name}.pem"

    def key(self, name):
        return f"{self.place}/{name}.key"

    def new_key(self, name):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                self.key(name))
        os.chmod(self.key(name), 0o644)

    def issue(self, name, names, purpose="serverAuth", days=(-1, 30)):
        """A certificate NAME for `names`: DNS:a.test,IP:192.0.2.1. days: from, until, from now."""
        self.new_key(name)
        request = f"{self.place}/{name}.csr"
        openssl("req", "-new", "-key", self.key(name), "-out", request, "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={names}", "-addext", "basicConstraints=CA:FALSE",
                "-addext", "keyUsage=critical,digitalSignature", "-addext",
                f"extendedKeyUsage={purpose}")
        now = time.time()
        openssl("ca", "-batch", "-config", f"{self.place}/config", "-cert", self.file("ca"),
                "-keyfile", self.key("ca"), "-in", request, "-out", self.file(name), "-notext",
                "-startdate", date(now + days[0] * DAY), "-enddate", date(now + days[1] * DAY))
        return self.file(name), self.key(name)

    def options(self, *names):
        """What haven is told about them."""
        return [word for name in names
                for word in ("--tls-cert", self.file(name), "--tls-key", self.key(name))]
