"""The servers of the tests of policies, in hvt-web; started by the first test that needs them.

    10.82.0.2, fd82::2   nginx (80, 443; IPv4: 8080, 8443 too), QUIC on 443/udp, TLS on 853
    10.82.0.3, fd82::3   nginx (IPv4: 80; 443)
    10.82.0.4            nginx (443)
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import zipfile

from support.topology import WEB, WEB4, command, inside, wait_listening

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ("good.test", "evil.test", "git.test", "pypi.test", "npm.test", "files.test", "wild.test",
         "*.wild.test", "*.sub.wild.test", "alias.test", "chain.test", "other.test", "both.test",
         "six.test", "evil-six.test", "changing.test")


class Servers:
    def __init__(self, topology):
        self.directory = f"{topology.directory}/web"
        self.content = f"{self.directory}/content"
        self.ca = f"{self.directory}/ca.crt"
        for path in (self.directory, self.content):
            os.makedirs(path)
        certificates(self.directory)
        packages(self.content)
        with open(f"{self.content}/slow", "wb") as file:
            file.truncate(1 << 30)
        for address in ("10.82.0.3/24", "10.82.0.4/24"):
            command(*inside(WEB, "ip", "address", "add", address, "dev", "out0"))
        command(*inside(WEB, "ip", "address", "add", "fd82::3/64", "dev", "out0", "nodad"))
        self.start(topology)

    def start(self, topology):
        run = f"{self.directory}/nginx"
        os.makedirs(run)
        with open(f"{HERE}/nginx.conf", encoding="ascii") as file:
            text = file.read()
        with open(f"{run}/conf", "w", encoding="ascii") as file:
            file.write(text.format(dir=run, tls=self.directory, content=self.content))
        topology.start(WEB, "nginx", "-c", f"{run}/conf", "-e", f"{run}/error.log")
        topology.start(WEB, "openssl", "s_server", "-quiet", "-accept", f"{WEB4}:853",
                       "-cert", f"{self.directory}/server.crt",
                       "-key", f"{self.directory}/server.key")
        ports = [80, 443, 853]
        self.has_quic = bool(shutil.which("gtlsserver") and shutil.which("gtlsclient"))
        if self.has_quic:
            topology.start(WEB, "gtlsserver", "-q", f"--htdocs={self.content}", WEB4, "443",
                           f"{self.directory}/server.key", f"{self.directory}/server.crt")
        wait_listening(WEB, *ports)

    def reached(self, text):
        """Requests in nginx's log with this text in them; what was sent before is in it."""
        token = f"/mark-{os.urandom(8).hex()}"
        command(*inside(WEB, "curl", "-s", f"http://{WEB4}{token}"))
        with open(f"{self.directory}/nginx/access.log", encoding="utf-8") as file:
            lines = file.read().splitlines()
        assert any(token in line for line in lines)
        return [line for line in lines if text in line]


def servers(haven):
    """Those of this run of the tests."""
    topology = haven.topology
    if not hasattr(topology, "web"):
        topology.web = Servers(topology)
    return topology.web


def openssl(directory, *words):
    subprocess.run(["openssl", *words], cwd=directory, check=True, timeout=60,
                   stdin=subprocess.DEVNULL, capture_output=True)


def certificates(directory):
    """An authority, and a certificate of it for all names that there are."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(directory, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30",
            "-subj", "/CN=haven's tests", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(directory, "req", "-new", *key, "-keyout", "server.key", "-out", "server.csr",
            "-subj", "/CN=good.test")
    with open(f"{directory}/extensions", "w", encoding="ascii") as file:
        file.write("basicConstraints=CA:FALSE\nsubjectAltName="
                   + ",".join(f"DNS:{name}" for name in NAMES) + f",IP:{WEB4}\n")
    openssl(directory, "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "30", "-extfile", "extensions", "-out", "server.crt")


def packages(content):
    """What git, pip and npm fetch: as real as files can be."""
    repository(content)
    wheel(content)
    module(content)


def repository(content):
    work = f"{content}/../work"
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

    def git(*words, where=work):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@good.test",
                        "-c", "init.defaultBranch=main", *words], cwd=where, check=True,
                       timeout=60, capture_output=True, env=environment)

    os.makedirs(work)
    git("init", "-q")
    for number in range(3):
        with open(f"{work}/file", "a", encoding="ascii") as file:
            file.write(f"line {number}\n")
        git("add", "file")
        git("commit", "-q", "-m", f"Add line {number}")
    os.makedirs(f"{content}/git")
    git("clone", "-q", "--bare", work, f"{content}/git/demo.git", where=content)
    git("update-server-info", where=f"{content}/git/demo.git")


def wheel(content):
    """A package index as PEP 503 has it: its files are at another name."""
    name = "haven_demo-1.0-py3-none-any.whl"
    os.makedirs(f"{content}/files")
    os.makedirs(f"{content}/simple/haven-demo")
    with zipfile.ZipFile(f"{content}/files/{name}", "w") as file:
        file.writestr("haven_demo.py", "VALUE = 1\n")
        info = "haven_demo-1.0.dist-info"
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: haven-demo\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\n"
                      "Root-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    with open(f"{content}/files/{name}", "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    with open(f"{content}/simple/haven-demo/index.html", "w", encoding="ascii") as file:
        file.write(f'<!DOCTYPE html><html><body><a href="https://files.test/files/{name}'
                   f'#sha256={digest}">{name}</a></body></html>\n')


def module(content):
    """A registry's document about a module, and the module."""
    os.makedirs(f"{content}/npm/haven-demo")
    package = {"name": "haven-demo", "version": "1.0.0"}
    source = f"{content}/../package.json"
    with open(source, "w", encoding="ascii") as file:
        json.dump(package, file)
    archive = f"{content}/files/haven-demo-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, "package/package.json")
    with open(archive, "rb") as file:
        shasum = hashlib.sha1(file.read()).hexdigest()
    dist = {"tarball": "https://files.test/files/haven-demo-1.0.0.tgz", "shasum": shasum}
    with open(f"{content}/npm/haven-demo/index.json", "w", encoding="ascii") as file:
        json.dump({"name": "haven-demo", "dist-tags": {"latest": "1.0.0"},
                   "versions": {"1.0.0": {**package, "dist": dist}}}, file)
