"""Files: FTP with vsftpd, passive and active, with haven's helper for its data connections."""

from harness.place import digest_of
from harness.service import IN, Service, exchange, expect_equal, expect_in
from support.topology import USER

# As a user, vsftpd cannot connect from port 20; as root, it becomes this user for the files.
AS_USER = "run_as_launching_user=YES\nlog_ftp_protocol=YES\n"
VSFTPD = """
background=NO
listen=NO
listen_ipv6=YES
listen_port=21
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
anon_root={dir}/files
anon_umask=022
no_anon_password=YES
ftp_username={user}
nopriv_user={user}
secure_chroot_dir={dir}/empty
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
connect_from_port_20=YES
port_enable=YES
pasv_enable=YES
pasv_min_port={first}
pasv_max_port={last}
xferlog_enable=YES
vsftpd_log_file={dir}/vsftpd.log
dual_log_enable=NO
ssl_enable=YES
allow_anon_ssl=YES
force_local_data_ssl=NO
force_local_logins_ssl=NO
require_ssl_reuse=NO
rsa_cert_file={tls.certificate}
rsa_private_key_file={tls.key}
"""
GUEST4 = "10.0.2.100"  # haven's guest, as haven makes it by default
PASSIVE_FIRST, PASSIVE_LAST = 30000, 30009
FILE_BYTES = 5_000_000


class Ftp(Service):
    name = "ftp"
    needs = {"vsftpd": "vsftpd", "curl": "curl", "tnftp": "tnftp", "openssl": "openssl"}
    ports = ["21/tcp"]
    haven_options = ["--helper", "ftp"]
    # Under TLS nobody can read along: passive ports are published as they are.
    publications = [f"{PASSIVE_FIRST}-{PASSIVE_LAST}:{PASSIVE_FIRST}-{PASSIVE_LAST}"]

    def server(self, place):
        return self.vsftpd(place, AS_USER)

    def vsftpd(self, place, more):
        place.folder("files")
        place.folder("files/in", 0o777)
        place.folder("empty")
        self.path, self.digest = place.blob("files/file", FILE_BYTES)
        conf = place.write("vsftpd.conf", VSFTPD.format(
            dir=place.directory, user=USER, tls=place.tls, first=PASSIVE_FIRST, last=PASSIVE_LAST) + more)
        return ["vsftpd", conf]

    def there_and_back(self, place, *words, address=None):
        """Lists, fetches and stores a file; each is a data connection of its own."""
        url = f"ftp://{address or place.address}"
        curl = ["curl", "-sS", "-m", "30", *words]
        expect_in("file", place.client(*curl, f"{url}/").out, "listing")
        back = f"{place.client_folder()}/back"
        place.client(*curl, "-o", back, f"{url}/file")
        expect_equal(digest_of(back), self.digest, "sha256 of what was fetched")
        place.client(*curl, "-T", self.path, f"{url}/in/stored")
        expect_equal(digest_of(f"{place.directory}/files/in/stored"), self.digest,
                     "sha256 of what was stored")

    @exchange("21/tcp", "passive (PASV): list, fetch and store 5 MB")
    def passive(self, place):
        self.there_and_back(place, "--disable-epsv", "--no-ftp-skip-pasv-ip")

    @exchange("21/tcp", "extended passive (EPSV), IPv4 and IPv6")
    def extended_passive(self, place):
        self.there_and_back(place)
        self.there_and_back(place, address=f"[{place.address6}]")

    @exchange("21/tcp", "active (PORT): list, fetch and store 5 MB")
    def active(self, place):
        self.there_and_back(place, "--disable-eprt", "--ftp-port", "-")

    @exchange("21/tcp", "extended active (EPRT), IPv4 and IPv6")
    def extended_active(self, place):
        self.there_and_back(place, "--ftp-port", "-")
        self.there_and_back(place, "--ftp-port", "-", address=f"[{place.address6}]")

    @exchange("21/tcp", "tnftp, active and passive in one session")
    def session(self, place):
        folder = place.client_folder("session")
        with place.dialogue("tnftp", "-n", "-v", place.address) as talk:
            talk.say("user anonymous x\n")
            talk.say("binary\n")
            for mode in ("on", "off"):
                talk.say(f"passive {mode}\n")
                talk.say(f"get file {folder}/{mode}\n")
                talk.hear("226")
            talk.say("bye\n")
            talk.hear("221")
        for mode in ("on", "off"):
            expect_equal(digest_of(f"{folder}/{mode}"), self.digest, f"sha256, passive {mode}")

    @exchange("21/tcp", "PORT of a third address, of port 22: refused by haven")
    def bounce(self, place):
        own = place.peer if place.direction == IN else GUEST4
        for where in ("10.87.0.77,8,0", f"{own},0,22"):
            done = place.client("curl", "-sS", "-m", "30", "-v", "-Q",
                                f"PORT {where.replace('.', ',')}", f"ftp://{place.address}/",
                                status=21)
            expect_in("500 haven: ", done.err, "the reply")

    @exchange("21/tcp", "AUTH TLS: the helper steps aside")
    def tls(self, place):
        self.there_and_back(place, "--ssl-reqd", "--cacert", place.tls.ca)


class FtpAsRoot(Ftp):
    """Data from port 20, as RFC 959 section 8 has it: that takes a server that is root's."""

    name = "ftp-data"
    server_user = "root"

    def server(self, place):
        return self.vsftpd(place, "")

    @exchange("20/tcp", "active: data from the server's port 20")
    def from_port_20(self, place):
        done = place.client("curl", "-sS", "-m", "30", "--ftp-port", "-", "-o", "/dev/null",
                            f"ftp://{place.address}/file", options=("--log", "info"))
        if place.direction == IN:
            place.eventually(lambda: f"tcp out {GUEST4}:20 -> {place.peer}:" in place.logs(),
                             "haven says that it comes from port 20")
        else:
            expect_in(f"tcp in {place.address}:20 -> {GUEST4}:", done.err, "what haven says")
