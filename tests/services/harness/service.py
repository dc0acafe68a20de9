"""What a service is: programs, ports, a server, and exchanges that prove that it works.

    class Redis(Service):
        name = "redis"
        needs = {"redis-server": "redis-server", "redis-cli": "redis-tools"}
        ports = ["6379/tcp"]

        def server(self, place):
            return ["redis-server", "--bind", "*", ...]

        @exchange("6379/tcp", "SET and GET")
        def keeps(self, place):
            place.client("redis-cli", "-h", place.address, "SET", "a", "b")
            ...

`place` (place.py) is one direction of one service: where its server is, and its client. An exchange
raises AssertionError (expect, expect_equal, expect_in) when it did not happen as it should.
"""

import importlib.util
import os
import shutil

IN, OUT = "in", "out"  # server inside haven, client outside; and the other way round


class Skip(Exception):
    """This machine cannot do it; says why."""


class Exchange:
    def __init__(self, function, port, what, directions, service):
        self.function, self.port, self.what = function, port, what
        self.directions, self.service = directions, service


def exchange(port, what, directions=(IN, OUT), service=None):
    """Decorator: one row of the table, for each direction. service: its name where not the class's."""

    def register(function):
        function.exchange = Exchange(function, port, what, directions, service)
        return function

    return register


class Service:
    name = None        # as the registry has it
    needs = {}         # program, py:MODULE or file:PATH -> Debian package
    ports = []         # what is published, and waited for: "80/tcp"
    waits = None       # ports to wait for, where not all are bound at once
    group = "all"      # "check": part of `make check`
    server_user = "user"  # or "root": a server that cannot do without
    publications = []  # what else is published, as -p takes it
    haven_options = []  # more of them, in both directions

    @classmethod
    def exchanges(cls):
        found = [value.exchange for value in vars(cls).values() if hasattr(value, "exchange")]
        if not found:
            raise TypeError(f"{cls.__name__} has no exchange")
        return found

    @classmethod
    def missing(cls):
        """The packages that are not there."""
        return sorted({package for probe, package in cls.needs.items() if not is_there(probe)})

    def server(self, place):
        """Writes what the server needs into place.directory; the words that start it."""
        raise NotImplementedError

    def ready(self, place):
        """Returns when the server can be asked."""
        place.wait_ports(self.ports if self.waits is None else self.waits)


# Where tools/install-deps puts programs of packages that conflict with others.
SYSTEM_PATH = "/usr/sbin:/sbin:/usr/local/lib/haven-tests/usr/sbin"


def program(name):
    """The path of a program, wherever Debian has it; None: it is not here."""
    return shutil.which(name, path=f"{os.environ['PATH']}:{SYSTEM_PATH}")


def is_there(probe):
    if probe.startswith("py:"):
        return importlib.util.find_spec(probe[3:]) is not None
    if probe.startswith("file:"):
        return os.path.exists(probe[5:])
    return program(probe) is not None


def all_services(modules):
    """Every class of the modules that has a name, in the order in which they stand there."""
    found = []
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Service) and value.name and \
                    value.__module__ == module.__name__:
                found.append(value)
    return found


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r:.1000}, expected {wanted!r:.1000}")


def expect_in(part, whole, what):
    if part not in whole:
        raise AssertionError(f"{what}: {part!r} is not in {whole[-2000:]!r}")
