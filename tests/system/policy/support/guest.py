"""A guest under rules, and what it tries: each try comes to one word.

    served      it got what it wanted, from the server that it meant
    refused     there was no connection: refused, or ICMP said so
    reset       the connection was ended by force
    silent      nothing happened, for seconds
"""

import json
import os
import re
import subprocess

from support.runner import expect_equal

from .servers import servers

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"  # what any user can run


# Who looks where for the authorities that it trusts.
AUTHORITIES = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO", "PIP_CERT", "REQUESTS_CA_BUNDLE",
               "npm_config_cafile")


def environment(ca):
    """Words for env(1): nothing of the machine's own settings comes in."""
    return ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "npm_config_fetch_retries=0",
            "npm_config_update_notifier=false", *(f"{name}={ca}" for name in AUTHORITIES)]


class Guest:
    """haven run with these options, and the agent inside. `told` is what haven writes."""

    def __init__(self, haven, *options, name=None):
        self.haven = haven
        self.web = servers(haven)
        self.name = name or f"policy-{os.urandom(4).hex()}"
        self.log = f"{haven.topology.directory}/{self.name}.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = haven.start(
                "--name", self.name, *options, "--", "env", "-i",
                *environment(self.web.ca), PYTHON, f"{HERE}/agent.py", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20)

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise AssertionError(f"haven has ended: {self.told()[-2000:]}")
        return json.loads(line)

    def run(self, *words, seconds=30):
        """To its end, inside: {"status", "out", "err"}."""
        return self.ask(run=words, seconds=seconds)

    def start(self, name, *words):
        self.ask(start=words, **{"as": name})

    def progress(self, name):
        answer = self.ask(progress=name)
        return answer["bytes"], answer["status"]

    def told(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tries(self, table, what=""):
        """A list of (try, word that it must come to); all are done before one is complained about."""
        got, wanted, details = [], [], []
        for attempt, word in table:
            answer = self.run(*attempt.words)
            came = attempt.judge(answer)
            got.append(f"{attempt}: {came}")
            wanted.append(f"{attempt}: {word}")
            if came != word:
                details.append(f"{attempt}: {came}, expected {word}: {answer}")
        expect_equal(got, wanted, "\n".join([what, *details, "haven said:", self.told()[-3000:]]))

    def command(self, *words):
        """haven VERB ... by its user, while it runs."""
        return self.haven.call(self.haven.binary, *words)


class Try:
    def __init__(self, title, words, judge):
        self.title, self.words, self.judge = title, list(words), judge

    def __str__(self):
        return self.title


def by_status(statuses, good=lambda answer: True):
    def judge(answer):
        if answer["status"] == 0:
            return "served" if good(answer) else "served something else"
        return statuses.get(answer["status"], "failed")

    return judge


# curl(1), EXIT CODES. 16, 92: HTTP/2 framing and streams, which a reset can come as.
CURL = {6: "no name", 7: "refused", 28: "silent", 35: "reset", 52: "reset", 55: "reset",
        56: "reset", 16: "reset", 92: "reset", 18: "reset"}


def curl(url, *options, seconds=4):
    """Served: by the name that the URL has, for https as TLS's server name as well."""
    scheme, host = re.match(r"(\w+)://(\[[^]]*\]|[^:/]*)", url).groups()

    def good(answer):
        name = re.search(r"host=(\S*)", answer["out"])
        server_name = re.search(r"sni=(\S*)", answer["out"])
        if not name or name.group(1) != host.lower().rstrip("."):
            return False
        is_name = not re.fullmatch(r"[\d.]+|\[.*\]", host)
        return scheme == "http" or server_name.group(1) == (host.lower().rstrip(".") if is_name else "")

    title = " ".join(["curl", *options, url])
    return Try(title, ["curl", "-sS", "-m", str(seconds), *options, url], by_status(CURL, good))


def first_word(answer):
    words = answer["out"].split()
    return words[0] if answer["status"] == 0 and words else f"failed ({answer['err'][-300:]})"


def program(name, *words):
    """One of this folder, which prints the word first."""
    words = [str(word) for word in words]
    title = " ".join([name, *(word if len(word) < 60 else word[:60] + "..." for word in words)])
    return Try(title, [PYTHON, f"{HERE}/{name}.py", *words], first_word)


def dial(protocol, address, port, *options):
    return program("dial", protocol, address, port, *options)


def ping(address, *options):
    def judge(answer):
        if answer["status"] == 0:
            return "served"
        said = answer["out"] + answer["err"]
        return "refused" if re.search("filtered|prohibited|Permission denied", said) else "silent"

    return Try(f"ping {address}", ["ping", "-c", "1", "-W", "2", *options, address], judge)


def dig(name, *options):
    """Served: an address."""

    def judge(answer):
        if answer["status"] == 0 and re.search(r"^[\d.]+$|:", answer["out"], re.MULTILINE):
            return "served"
        said = answer["out"] + answer["err"]
        if re.search("refused|unreachable|prohibited|permission", said, re.IGNORECASE):
            return "refused"
        return "silent" if answer["status"] == 9 else "no name"

    return Try(" ".join(["dig", *options, name]),
               ["dig", "+short", "+tries=1", "+time=2", *options, name], judge)


def quic(host, address=None):
    """HTTP/3 with this server name. Served: a response came."""

    def judge(answer):
        return "served" if ":status: 200" in answer["out"] + answer["err"] else "refused"

    return Try(f"quic {host} at {address or host}",
               ["gtlsclient", "--exit-on-all-streams-close", "--handshake-timeout=2s", "--timeout=2s",
                "--no-quic-dump", "--no-http-dump", f"--sni={host}", address or host, "443",
                f"https://{host}/files/haven-demo-1.0.0.tgz"], judge)


def rules(*lines):
    """Options for these rules, in this order."""
    words = []
    for line in lines:
        verb, rule = line.split(" ", 1)
        words += [f"--{verb}", rule]
    return words


def write_policy(haven, name, *lines):
    """A file of rules that haven's user may read."""
    path = f"{haven.topology.directory}/{name}"
    with open(path, "w", encoding="ascii") as file:
        file.write("".join(f"{line}\n" for line in lines))
    os.chmod(path, 0o644)
    return path


def bypass(haven, options, table, control=()):
    """Each try is served without rules, so that it is able to; then what the table says."""
    with Guest(haven, *control) as guest:
        guest.tries([(attempt, "served") for attempt, _ in table], "without rules")
    with Guest(haven, *options) as guest:
        guest.tries(table, "under rules")
        return guest.told()
