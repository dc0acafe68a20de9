"""A certification authority of the tests: root, intermediate, and leaves of every kind, made by openssl."""

import datetime
import os
import re

from support.topology import command

CONFIGURATION = """
[ca]
default_ca = authority
[authority]
database = {dir}/{name}.index
new_certs_dir = {dir}
rand_serial = yes
default_md = sha256
policy = anything
copy_extensions = copy
unique_subject = no
[anything]
commonName = supplied
[issuer]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def openssl(*words):
    command("openssl", *words)


def date(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return moment.strftime("%Y%m%d%H%M%SZ")


class Authority:
    """
    Root and intermediate; each certificate NAME is NAME.pem (with its chain) and NAME.key in the directory. forged: nothing in
    them says which key has signed, so that they fit to another authority of the same name.
    """

    def __init__(self, directory, name, common_name="Test Root", forged=False):
        self.directory, self.name, self.forged = directory, name, forged
        self.root = f"{directory}/{name}-root.pem"
        self.issue_root(common_name)
        self.issue(f"{name}-middle", "Test Intermediate", issuer=f"{name}-root", extensions="issuer")

    def path(self, name):
        return f"{self.directory}/{name}"

    def configure(self, issuer):
        text = CONFIGURATION.format(dir=self.directory, name=issuer)
        if self.forged:
            text = re.sub(r"KeyIdentifier = \w+", "KeyIdentifier = none", text)
        with open(self.path(f"{issuer}.cnf"), "w", encoding="ascii") as file:
            file.write(text)
        if not os.path.exists(self.path(f"{issuer}.index")):
            with open(self.path(f"{issuer}.index"), "w", encoding="ascii"):
                pass

    def request(self, name, common_name, names):
        extension = ["-addext", "subjectAltName=" + names] if names else []
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"),
                "-subj", f"/CN={common_name}", *extension)

    def sign(self, name, issuer, extensions, days, *more):
        self.configure(issuer)
        openssl("ca", "-batch", "-notext", "-config", self.path(f"{issuer}.cnf"),
                "-extensions", extensions, "-startdate", date(days[0]), "-enddate", date(days[1]),
                "-keyfile", self.path(f"{issuer}.key"), "-in", self.path(f"{name}.csr"),
                "-out", self.path(f"{name}.pem"), *more)

    def issue_root(self, common_name):
        name = f"{self.name}-root"
        self.request(name, common_name, None)
        self.sign(name, name, "issuer", (-10, 10), "-selfsign")

    def issue(self, name, common_name, names=None, issuer=None, extensions="leaf", days=(-1, 1)):
        """The chain goes along: what a server sends."""
        middle = f"{self.name}-middle"
        issuer = issuer or middle
        self.request(name, common_name, names)
        self.sign(name, issuer, extensions, days, "-cert", self.path(f"{issuer}.pem"))
        if issuer == middle:
            with open(self.path(f"{middle}.pem"), encoding="ascii") as file:
                chain = file.read()
            with open(self.path(f"{name}.pem"), "a", encoding="ascii") as file:
                file.write(chain)

    def self_signed(self, name, common_name, names):
        self.request(name, common_name, names)
        self.sign(name, name, "leaf", (-1, 1), "-selfsign")
