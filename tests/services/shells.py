"""Shells: SSH with OpenSSH, as a user; Telnet with inetutils, whose server wants root."""

import hashlib
import os

from harness.service import Service, exchange, expect_equal, expect_in
from support.topology import USER

SSHD = """
Port 22
HostKey {dir}/host_key
AuthorizedKeysFile {dir}/client_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""
PIPE_BYTES = 100 * 1000 * 1000


class Ssh(Service):
    name = "ssh"
    group = "check"
    needs = {"sshd": "openssh-server", "ssh": "openssh-client"}
    ports = ["22/tcp"]

    def server(self, place):
        for name in ("host_key", "client_key"):
            place.prepare("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                          f"{place.directory}/{name}")
        with open(f"{place.directory}/host_key.pub", encoding="ascii") as file:
            kind, key = file.read().split()[:2]
        self.known_hosts = place.write("known_hosts", f"haven-test {kind} {key}\n")
        return ["/usr/sbin/sshd", "-D", "-e", "-f",
                place.write("sshd_config", SSHD.format(dir=place.directory))]

    def options(self, place):
        return ["-F", "none", "-i", f"{place.directory}/client_key", "-o", "IdentitiesOnly=yes",
                "-o", "BatchMode=yes", "-o", "HostKeyAlias=haven-test", "-o",
                f"UserKnownHostsFile={self.known_hosts}", "-o", "StrictHostKeyChecking=yes"]

    def ssh(self, place, *words, address=None, **more):
        return place.client("ssh", *self.options(place), f"{USER}@{address or place.address}",
                            *words, **more)

    @exchange("22/tcp", "key exchange, a command, IPv4 and IPv6")
    def command(self, place):
        for address, peer in ((place.address, place.peer), (place.address6, place.peer6)):
            said = self.ssh(place, 'echo "$SSH_CONNECTION"; exit 7', address=address, status=7).out
            expect_equal(said.split()[0], peer, "whom the server sees")
            expect_equal(said.split()[3], "22", "the server's own port")

    @exchange("22/tcp", "a pipe of 100 MB there and back, sha256")
    def pipe(self, place):
        data = os.urandom(PIPE_BYTES)
        back = self.ssh(place, "cat", stdin=data, seconds=90, binary=True)
        expect_equal(hashlib.sha256(back.out).hexdigest(), hashlib.sha256(data).hexdigest(),
                     "sha256")

    @exchange("22/tcp", "SFTP: a file put, listed and fetched")
    def sftp(self, place):
        path, digest = place.blob("file", 3_000_000)
        folder = place.client_folder()
        batch = f"put {path} {folder}/there\nls {folder}\nget {folder}/there {folder}/back\n"
        done = place.client("sftp", *self.options(place), "-b", "-",
                            f"{USER}@{place.address}", stdin=batch)
        expect_in("there", done.out, "listing")
        with open(f"{folder}/back", "rb") as file:
            expect_equal(hashlib.sha256(file.read()).hexdigest(), digest, "sha256")


class Telnet(Service):
    """A shell without a password: there is no login(1) but for root."""

    name = "telnet"
    needs = {"inetutils-inetd": "inetutils-inetd", "telnetd": "inetutils-telnetd",
             "inetutils-telnet": "inetutils-telnet"}
    ports = ["23/tcp"]

    def server(self, place):
        conf = place.write("inetd.conf", f"telnet stream tcp nowait {USER} /usr/sbin/telnetd "
                                         "telnetd -E /bin/sh\n")
        return ["inetutils-inetd", "--debug", f"--pidfile={place.directory}/pid", conf]

    @exchange("23/tcp", "options agreed, a shell on a terminal, 200 KB shown")
    def shell(self, place):
        with place.dialogue("inetutils-telnet", place.address) as talk:
            talk.hear("Escape character")
            talk.say("stty -echo; tty; echo $((6 * 7))\n")
            talk.hear("/dev/pts/")
            talk.hear("42")
            talk.say("seq 1 36000; echo 'end 'of it\n")
            talk.hear("end of it", 60)
            numbers = [line for line in talk.heard.split() if line.isdigit()]
            expect_equal(numbers[-36000:], [str(n) for n in range(1, 36001)], "all lines")
            talk.say("exit\n")
            talk.hear("Connection closed by foreign host")
