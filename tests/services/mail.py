"""Mail: SMTP and submission with STARTTLS into a mailbox, which IMAP and POP3 read.

    curl -- 25, 587 --> aiosmtpd, exim --> Maildir <-- dovecot <-- 143, 993, 110, 995 -- curl
"""

import uuid

from harness.service import Service, exchange, expect, expect_equal, expect_in
from support.topology import USER

DOVECOT = """
protocols = imap pop3
listen = *, ::
base_dir = {dir}/run
state_dir = {dir}/state
log_path = /dev/stderr
default_internal_user = {user}
default_internal_group = {user}
default_login_user = {user}
first_valid_uid = 1
mail_location = maildir:{dir}/Maildir
ssl = required
ssl_cert = <{tls.certificate}
ssl_key = <{tls.key}
disable_plaintext_auth = yes
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={user} home={dir}
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
service pop3-login {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
START = """
smtp() {{
	aiosmtpd --nosetuid --listen "0.0.0.0:$1" --tlscert {tls.certificate} --tlskey {tls.key} \\
		--class aiosmtpd.handlers.Mailbox {dir}/Maildir
}}
dovecot -F -c {dir}/dovecot.conf &
smtp 25 &
smtp 587
"""
EXIM = """
primary_hostname = service.test
domainlist local_domains = service.test
spool_directory = {dir}/spool
log_file_path = {dir}/exim-%s.log
pid_file_path = {dir}/exim.pid
exim_user = {user}
exim_group = {user}
deliver_drop_privilege
daemon_smtp_ports = 25 : 587
local_interfaces = <; 0.0.0.0 ; ::0
tls_advertise_hosts = *
tls_certificate = {tls.certificate}
tls_privatekey = {tls.key}
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  require encrypted = *
  deny    condition = ${{if eq{{$received_port}}{{587}}}}
          !authenticated = *
          message = this port is for users
  accept  domains = +local_domains
data:
  accept
begin routers
mailbox:
  driver = accept
  domains = +local_domains
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {dir}/Maildir
  maildir_format
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_condition = ${{if and{{{{eq{{$auth2}}{{reader}}}}{{eq{{$auth3}}{{secret}}}}}}}}
"""
START_EXIM = """
dovecot -F -c {dir}/dovecot.conf &
exec exim4 -C {dir}/exim.conf -bdf -q5s
"""
MESSAGE = """From: <sender@example.org>\r
To: <reader@service.test>\r
Subject: {token}\r
\r
Through haven: {token}\r
{filler}"""


class Mail(Service):
    name = "smtp"
    group = "check"
    needs = {"aiosmtpd": "python3-aiosmtpd", "dovecot": "dovecot-core",
             "file:/usr/lib/dovecot/imap": "dovecot-imapd",
             "file:/usr/lib/dovecot/pop3": "dovecot-pop3d", "curl": "curl", "openssl": "openssl"}
    ports = ["25/tcp", "587/tcp", "110/tcp", "143/tcp", "993/tcp", "995/tcp"]

    def server(self, place):
        for name in ("cur", "new", "tmp"):
            place.folder("Maildir")
            place.folder(f"Maildir/{name}")
        return self.start(place, START)

    def start(self, place, script, **files):
        """A shell that starts it all, with these files of configuration."""
        names = {"dir": place.directory, "tls": place.tls, "user": USER}
        for name, text in {"dovecot": DOVECOT, **files}.items():
            place.write(f"{name}.conf", text.format(**names))
        return ["sh", place.write("start", script.format(**names))]

    def curl(self, place, url, *words, **more):
        return place.client("curl", "-sS", "-m", "30", "--ssl-reqd", "--cacert", place.tls.ca,
                            *words, url, **more)

    def send(self, place, port, *words, size=0, **more):
        """A message with a token that nobody has seen before, by STARTTLS."""
        token = str(uuid.uuid4())
        text = MESSAGE.format(token=token, filler="0123456789abcdef\r\n" * (size // 18))
        self.curl(place, f"smtp://{place.address}:{port}", "--mail-from",
                  "sender@example.org", "--mail-rcpt", "reader@service.test", "-T", "-",
                  *words, stdin=text, **more)
        return token, text

    def imap(self, place, scheme, mailbox, command, *words):
        return self.curl(place, f"{scheme}://{place.address}/{mailbox}", "-u", "reader:secret",
                         *(("-X", command) if command else ()), *words).out

    def expect_arrived(self, place, token):
        """It is found by its subject and read back."""
        numbers = self.imap(place, "imaps", "INBOX", f"SEARCH SUBJECT {token}").split()[2:]
        expect_equal(len(numbers), 1, "messages with this subject")
        body = self.imap(place, "imaps", f"INBOX;MAILINDEX={numbers[0]}", None)
        expect_in(f"Through haven: {token}", body, "message")
        return body

    @exchange("25/tcp", "STARTTLS, a message sent and found in the mailbox")
    def smtp(self, place):
        token, _ = self.send(place, 25)
        self.expect_arrived(place, token)

    @exchange("587/tcp", "STARTTLS, a message of 1 MB sent and read back", service="submission")
    def submission(self, place):
        token, text = self.send(place, 587, size=1_000_000)
        body = self.expect_arrived(place, token)
        expect(text.split("\r\n\r\n")[1].strip() in body, "all of its text is there")

    @exchange("143/tcp", "STARTTLS, login, append, search, fetch", service="imap")
    def imap_starttls(self, place):
        token = str(uuid.uuid4())
        text = MESSAGE.format(token=token, filler="")
        self.imap(place, "imap", "", "CREATE Other")
        self.curl(place, f"imap://{place.address}/Other", "-u", "reader:secret", "-T",
                  place.write("message", text))
        expect_equal(self.imap(place, "imap", "Other", f"SEARCH SUBJECT {token}").split()[2:],
                     ["1"], "what the search found")
        expect_in(f"Through haven: {token}",
                  self.imap(place, "imap", "Other;MAILINDEX=1", None), "message")

    @exchange("110/tcp", "STLS, login, list, a message read", service="pop3")
    def pop3(self, place):
        self.expect_popped(place, "pop3")

    @exchange("995/tcp", "TLS, login, list, a message read", service="pop3s")
    def pop3s(self, place):
        self.expect_popped(place, "pop3s")

    def expect_popped(self, place, scheme):
        token, _ = self.send(place, 25)
        url = f"{scheme}://{place.address}"
        listed = self.curl(place, f"{url}/", "-u", "reader:secret").out.splitlines()
        found = [line for line in listed
                 if token in self.curl(place, f"{url}/{line.split()[0]}", "-u",
                                       "reader:secret").out]
        expect_equal(len(found), 1, "messages with this text")


class Exim(Mail):
    """Debian's own mail server, as a user; it gives the mail to itself and then to the mailbox."""

    name = "smtp"
    group = "all"
    needs = {**Mail.needs, "exim4": "exim4-daemon-light"}
    del needs["aiosmtpd"]

    def server(self, place):
        for name in ("spool", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
            place.folder(name)
        return self.start(place, START_EXIM, exim=EXIM)

    def expect_delivered(self, place, token):
        place.eventually(lambda: self.imap(place, "imaps", "INBOX", f"SEARCH SUBJECT {token}")
                         .split()[2:], "the message is in the mailbox")
        self.expect_arrived(place, token)

    @exchange("25/tcp", "exim: STARTTLS, a message into the mailbox")
    def smtp(self, place):
        self.expect_delivered(place, self.send(place, 25)[0])

    @exchange("587/tcp", "exim: STARTTLS, AUTH or nothing, a message of 1 MB", service="submission")
    def submission(self, place):
        self.send(place, 587, status=55)
        token, _ = self.send(place, 587, "-u", "reader:secret", size=1_000_000)
        self.expect_delivered(place, token)
