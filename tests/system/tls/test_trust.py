"""The local authority, as clients take it: refused until it is trusted, accepted from then on, by
the commands that `haven ca` tells.

    hvt-host: client == 127.0.0.1:18443 TLS -- haven -- in the clear -- guest: a web server
"""

import os
import shutil
import tempfile

from support.haven import eventually
from support.runner import Skip, expect, expect_equal, expect_in, test

PORT = "18443"
URLS = (f"https://localhost:{PORT}/", f"https://127.0.0.1:{PORT}/")
PAGE = "<h1>behind the local authority</h1>"
UNKNOWN_ISSUER = 60  # curl's exit status
# What is outside is out of reach here anyway; and the browser's own sandbox is not what is tested:
# root has to do without, and so does a user where user namespaces are forbidden.
BROWSER = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
           "--disable-background-networking", "--dump-dom")


class Site:
    """A web server behind haven, which has a data directory of its own for the authority."""

    def __init__(self, haven):
        self.haven = haven
        self.place = tempfile.mkdtemp(prefix="trust-", dir=haven.topology.directory)
        os.chmod(self.place, 0o777)
        for name in ("page", "home"):
            os.mkdir(f"{self.place}/{name}")
            os.chmod(f"{self.place}/{name}", 0o777)
        with open(f"{self.place}/page/index.html", "w", encoding="ascii") as file:
            file.write(f"<!doctype html>{PAGE}\n")
        self.data = {"XDG_DATA_HOME": f"{self.place}/data"}
        self.ca("--renew", "--name", "example.org")
        haven.start_publishing(PORT, "-p", f"127.0.0.1:{PORT}:80/tls", "--", "python3", "-m",
                               "http.server", "--directory", f"{self.place}/page", "80",
                               env={**os.environ, **self.data})
        self.path = self.ca("--path").strip()
        eventually(lambda: PAGE in self.curl(URLS[0], "--insecure").out, "the server answers")

    def ca(self, *words):
        done = self.haven.call("env", *(f"{key}={value}" for key, value in self.data.items()),
                               self.haven.binary, "ca", *words)
        expect_equal(done.status, 0, f"haven ca: {done.err}")
        return done.out

    def curl(self, url, *options):
        return self.haven.call("curl", "-sS", "-m", "20", *options, url)

    def told(self, whom):
        """The commands that are told for one kind of client, with the certificate's path."""
        lines = self.ca("--help").split(f"  {whom}", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
        expect(lines, f"commands for {whom}")
        return "\n".join(lines).replace("FILE", self.path)

    def browse(self, url):
        return self.haven.call("env", "-u", "XDG_DATA_HOME", f"HOME={self.place}/home", *BROWSER,
                               url, seconds=120)

    def at_home(self, script):
        done = self.haven.call("env", "-u", "XDG_DATA_HOME", f"HOME={self.place}/home", "sh", "-ec",
                               f'cd "$HOME"; {script}')
        expect_equal(done.status, 0, f"{script}: {done.out}{done.err}")


@test(links=("tap",))
def curl_refuses_it_until_it_is_trusted(haven):
    site = Site(haven)
    for url in URLS:
        before = site.curl(url)
        expect_equal(before.status, UNKNOWN_ISSUER, f"before: {before.out}{before.err}")
        expect_equal(before.out, "", "and no page")
        after = site.curl(url, "--cacert", site.path)
        expect_in(PAGE, after.out, f"after: {after.err}")
    for name, status in (("a.localhost", 0), ("b.test", 0), ("shop.example.org", 0),
                         ("other.example", UNKNOWN_ISSUER), ("xexample.org", UNKNOWN_ISSUER)):
        done = site.curl(f"https://{name}:{PORT}/", "--cacert", site.path, "--resolve",
                         f"{name}:{PORT}:127.0.0.1")
        expect_equal(done.status, status, f"{name}: {done.out}{done.err}")


@test(links=("tap",))
def s_client_refuses_it_until_it_is_trusted(haven):
    site = Site(haven)
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{PORT}", "-servername", "localhost",
             "-verify_hostname", "localhost", "-verify_return_error"]
    before = haven.call(*words)
    expect_equal(before.status, 1, "before")
    expect_in("unable to get local issuer certificate", before.out + before.err, "why")
    after = haven.call(*words, "-CAfile", site.path)
    expect_equal(after.status, 0, f"after: {after.err}")
    expect_in("Verify return code: 0 (ok)", after.out, "the verdict")
    expect_in("Verified peername: localhost", after.out, "the name")


@test(identities=("root",), links=("tap",))
def debian_trusts_it_by_what_is_told(haven):
    """The system's store, a copy that only this command sees."""
    if not os.path.exists("/usr/sbin/update-ca-certificates"):
        raise Skip("there is no update-ca-certificates (package ca-certificates)")
    site = Site(haven)
    script = f"""
        export PATH=$PATH:/usr/sbin
        cp -a /etc/ssl/certs {site.place}/certs
        mount --bind {site.place}/certs /etc/ssl/certs
        mount -t tmpfs none /usr/local/share/ca-certificates
        {{ {site.told("this machine")}; }} >&2
        curl -sS -m 20 {' '.join(URLS)}
    """
    done = haven.call("unshare", "-m", "sh", "-ec", script)
    expect_equal(done.out.count(PAGE), len(URLS), f"pages: {done.out}{done.err}")


@test(links=("tap",))
def chromium_refuses_it_until_it_is_trusted(haven):
    for program in ("chromium", "certutil"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed; 'make browser' does that")
    site = Site(haven)
    before = site.browse(URLS[0])
    expect("behind the local authority" not in before.out, "no page before")
    expect_in("ERR_CERT_AUTHORITY_INVALID", before.out + before.err, "why")
    site.at_home(site.told("Chromium"))
    for url in URLS:
        after = site.browse(url)
        expect_in(PAGE, after.out, f"after, {url}: {after.err}")
    site.at_home("rm -rf .local/share/pki .pki; mkdir -p .pki/nssdb")  # where older ones look
    site.at_home(site.told("Chromium"))
    expect_in(PAGE, site.browse(URLS[0]).out, "by the old place")
