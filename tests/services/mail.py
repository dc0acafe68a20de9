"""Mail: SMTP and submission with STARTTLS into a mailbox, which IMAP and POP3 read.

    curl -- 25, 587 --> aiosmtpd --> Maildir <-- dovecot <-- 143, 993, 110, 995 -- curl
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
        names = {"dir": place.directory, "tls": place.tls, "user": USER}
        place.write("dovecot.conf", DOVECOT.format(**names))
        return ["sh", place.write("start", START.format(**names))]

    def curl(self, place, url, *words, **more):
        return place.client("curl", "-sS", "-m", "30", "--ssl-reqd", "--cacert", place.tls.ca,
                            *words, url, **more)

    def send(self, place, port, size=0):
        """A message with a token that nobody has seen before, by STARTTLS."""
        token = str(uuid.uuid4())
        text = MESSAGE.format(token=token, filler="0123456789abcdef\r\n" * (size // 18))
        self.curl(place, f"smtp://{place.address}:{port}", "--mail-from",
                  "sender@example.org", "--mail-rcpt", "reader@service.test", "-T", "-",
                  stdin=text)
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
