"""One direction of one service: where its server runs, and where its clients do.

    in     hvs-out: client ------- hvs-host: haven run -p PORT:PORT -- server
    out    hvs-out: server ------- hvs-host: haven run -- client

A server that cannot do without root is in hvs-guest in direction `in`, which root's haven is
attached to; clients are always the unprivileged user's. What runs in hvs-out has a process
namespace of its own: it ends as a whole.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

from support.topology import USER, command, inside

from .dialogue import Dialogue
from .network import GUEST, HOST, HOST4, HOST6, OUT as OUTSIDE, OUT4, OUT6
from .network import as_user, namespace_down, namespace_up
from .service import IN, expect, expect_equal

READY_SECONDS = 40
POLL_SECONDS = 0.03
PROGRAMS = f"{os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}/programs"


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


class Place:
    def __init__(self, service, direction, haven, directory):
        self.service, self.direction, self.haven = service, direction, haven
        self.directory = directory
        self.processes = []
        self.server = None
        # Where the client finds the server, and whom the server sees.
        self.address, self.address6 = (HOST4, HOST6) if direction == IN else (OUT4, OUT6)
        self.peer, self.peer6 = (OUT4, OUT6) if direction == IN else (HOST4, HOST6)
        self.network = f"service-{os.path.basename(directory)}"
        self.log = f"{directory}/server.log"
        os.makedirs(directory)
        shutil.chown(directory, self.user, self.user)

    @property
    def user(self):
        """Who the server runs as."""
        return USER if self.service.server_user == "user" else "root"

    # --- files --------------------------------------------------------------------------------

    def write(self, name, text, mode=0o644):
        """A file of the server's user; returns its path."""
        path = f"{self.directory}/{name}"
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        os.chmod(path, mode)
        shutil.chown(path, self.user, self.user)
        return path

    def folder(self, name, mode=0o755):
        path = f"{self.directory}/{name}"
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        shutil.chown(path, self.user, self.user)
        return path

    def program(self, name):
        """A copy of one of programs/, which the user may not be able to read where it is."""
        with open(f"{PROGRAMS}/{name}", encoding="utf-8") as file:
            return self.write(name, file.read())

    def client_folder(self, name="client"):
        """A directory that clients may write to."""
        path = f"{self.directory}/{name}"
        os.makedirs(path, exist_ok=True)
        shutil.chown(path, USER, USER)
        return path

    def blob(self, name, size):
        """A file of random bytes; returns its path and its sha256."""
        data = os.urandom(size)
        return self.write(name, data), hashlib.sha256(data).hexdigest()

    def prepare(self, *words, seconds=60, **options):
        """A command that needs no network (initdb, keys), as the server's user."""
        if self.user != "root":
            words = as_user(*words)
        return self._finish(list(words), seconds, cwd=self.directory, **options)

    # --- the server ---------------------------------------------------------------------------

    def start_server(self, words):
        if self.direction == IN and self.user == "root":
            words = self._attach(words)
        elif self.direction == IN:
            words = self._haven("run", "--log", "info", "--name", self.network, *self._publications(), "--", *words)
        else:
            words = self._outside(words, self.user)
        self.server = self._start(words, self.log)

    def _publications(self):
        specs = [f"{port.split('/')[0]}:{port}" for port in self.service.ports]
        return [word for spec in specs + self.service.publications for word in ("-p", spec)]

    def _haven(self, verb, *words):
        return inside(HOST, *as_user(self.haven, verb, *self.service.haven_options, *words))

    def _attach(self, words):
        """Root's servers: a namespace, haven attached to it, and the server in it."""
        namespace_up(GUEST)
        self._start(inside(HOST, self.haven, "attach", "--log", "info", "--name", self.network,
                           *self.service.haven_options, *self._publications(), f"/run/netns/{GUEST}"),
                    f"{self.directory}/attach.log")
        return inside(GUEST, *alone(words))

    def _outside(self, words, user=USER):
        words = list(words) if user == "root" else as_user(*words)
        return inside(OUTSIDE, *alone(words))

    def wait_ports(self, ports):
        """Until the server has bound each of these: "80/tcp". Haven tells, or the kernel outside."""
        self.eventually(lambda: set(ports) <= self._bound(), f"the server binds {', '.join(ports)}")

    def _bound(self):
        if self.direction == IN:
            done = command(*inside(HOST, self.haven, "ports", "--json", self._full_name()),
                           check=False)
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            return {f"{row['port']}/{row['protocol']}" for row in rows if row["type"] == "port"}
        lines = command(*inside(OUTSIDE, "ss", "-Hltun")).stdout.splitlines()
        return {f"{line.split()[4].rsplit(':', 1)[1]}/{line.split()[0]}" for line in lines}

    def _full_name(self):
        uid = command("id", "-u", self.user).stdout.strip()
        return f"{uid}/{self.network}"

    # --- the clients --------------------------------------------------------------------------

    def client_words(self, *words, options=()):
        """The command line of a client, at the other end than the server's."""
        if self.direction == IN:
            return self._outside(words)
        return self._haven("run", *options, "--", *words)

    def client(self, *words, seconds=60, status=0, options=(), **more):
        """A client to its end, as text unless binary=True. Its exit status has to be `status` (None: any)."""
        done = self._finish(self.client_words(*words, options=options), seconds, **more)
        if status is not None:
            expect_equal(done.status, status,
                         f"{words[0]}'s exit status ({tail(done.err)} {tail(done.out)})")
        return done

    def start_client(self, *words, options=()):
        """A client that stays, ended with this place; its output goes to client.log."""
        return self._start(self.client_words(*words, options=options),
                           f"{self.directory}/client.log")

    @contextlib.contextmanager
    def dialogue(self, *words):
        """A client that is talked to, as long as the `with` lasts."""
        talk = Dialogue(self.client_words(*words), f"{self.directory}/dialogue.log")
        try:
            yield talk
        finally:
            talk.end()

    def client_log(self):
        """What clients that stay have said."""
        with open(f"{self.directory}/client.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    # --- processes ----------------------------------------------------------------------------

    def _start(self, words, log):
        with open(log, "ab") as file:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                       cwd=self.directory)
        self.processes.append(process)
        return process

    def _finish(self, words, seconds, stdin=None, binary=False, cwd=None):
        given = stdin if isinstance(stdin, bytes) else (stdin or "").encode()
        late = None
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=cwd)
        try:
            out, err = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired as expired:
            late = expired
            process.kill()
            out, err = process.communicate()
        texts = [part.decode(errors="replace") for part in (out, err)]
        with open(f"{self.directory}/clients.log", "a", encoding="utf-8") as log:
            said = [f"({len(out)} bytes)" if binary else texts[0][-600:], texts[1][-1200:]]
            log.write("\n".join([f"$ {shown(words)}", *said, ""]))
        expect(not late, f"not done after {seconds} s: {shown(words)}")
        return Done(process.returncode, *((out, err) if binary else texts))

    def eventually(self, condition, what, seconds=READY_SECONDS):
        """Waits until condition() is true; the deadline only bounds a failure."""
        deadline = time.monotonic() + seconds
        while not condition():
            expect(self.server is None or self.server.poll() is None,
                   f"the server ended with status {self.server and self.server.returncode}, "
                   f"waiting until {what}")
            expect(time.monotonic() < deadline, f"never came true: {what}")
            time.sleep(POLL_SECONDS)

    def stop(self, process):
        """haven is asked to end; what is alone in a process namespace (unshare takes no hint) just goes."""
        process.send_signal(signal.SIGTERM if self.haven in process.args else signal.SIGKILL)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def end(self):
        for process in reversed(self.processes):
            self.stop(process)
        if self.direction == IN and self.user == "root":
            namespace_down(GUEST)

    def logs(self):
        """What was said, for a report of a failure."""
        text = ""
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".log") and os.path.isfile(f"{self.directory}/{name}"):
                with open(f"{self.directory}/{name}", encoding="utf-8", errors="replace") as file:
                    text += f"--- {name}\n{file.read()[-4000:]}\n"
        return text


def alone(words):
    """
    In a process namespace of its own, which goes with the first process here, whatever it has started. Root's shell
    in between: the signal by which that works would not survive a change of user.
    """
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
            "sh", "-c", '"$@"; exit $?', "sh", *words]


def shown(words):
    """A command line, without that which becomes the user."""
    who = f"LOGNAME={USER}"
    return " ".join(words[words.index(who) + 1:] if who in words else words)


def digest_of(path):
    """sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tail(text):
    return repr(text[-600:])
