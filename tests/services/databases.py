"""Databases: PostgreSQL, Redis, MySQL (MariaDB), Microsoft SQL Server."""

import glob
import os

from harness.service import Service, exchange, expect_equal, expect_in

POSTGRES = """
listen_addresses = '*'
unix_socket_directories = ''
fsync = off
ssl = on
ssl_cert_file = '{dir}/server.pem'
ssl_key_file = '{dir}/server.key'
"""
HBA = "hostssl all all all scram-sha-256\n"


class Postgres(Service):
    name = "postgresql"
    group = "check"
    programs = max(glob.glob("/usr/lib/postgresql/*/bin"), default="/usr/lib/postgresql/bin")
    needs = {f"file:{programs}/initdb": "postgresql", "psql": "postgresql-client",
             "openssl": "openssl"}
    ports = ["5432/tcp"]

    def server(self, place):
        data = f"{place.directory}/data"
        password = place.write("password", "secret\n", 0o600)
        place.prepare(f"{self.programs}/initdb", "-D", data, "-U", "tester", "--auth=scram-sha-256",
                      f"--pwfile={password}", "--no-sync", "--locale=C", "-E", "UTF8")
        for name, source in (("server.pem", place.tls.certificate), ("server.key", place.tls.key)):
            with open(source, encoding="ascii") as file:
                place.write(name, file.read(), 0o600)
        place.write("data/pg_hba.conf", HBA)
        with open(f"{data}/postgresql.conf", "a", encoding="ascii") as file:
            file.write(POSTGRES.format(dir=place.directory))
        return [f"{self.programs}/postgres", "-D", data]

    def psql(self, place, sql, address=None, **more):
        url = f"host={address or place.address} port=5432 dbname=postgres user=tester " \
              f"sslmode=verify-full sslrootcert={place.tls.ca}"
        return place.client("env", "PGPASSWORD=secret", "psql", "-X", "-q", "-At", "-v",
                            "ON_ERROR_STOP=1", url, "-c", sql, **more).out.strip()

    @exchange("5432/tcp", "TLS, SCRAM, rows inserted and selected, IPv4 and IPv6")
    def rows(self, place):
        self.psql(place, "CREATE TABLE ports (number int PRIMARY KEY, service text);"
                         "INSERT INTO ports VALUES (5432, 'postgresql'), (179, 'bgp')")
        said = self.psql(place, "SELECT service FROM ports ORDER BY number",
                         address=place.address6)
        expect_equal(said.split(), ["bgp", "postgresql"], "rows")
        expect_equal(self.psql(place, "SELECT ssl, client_addr FROM pg_stat_ssl JOIN "
                                      "pg_stat_activity USING (pid) WHERE pid = "
                                      "pg_backend_pid()"), f"t|{place.peer}", "the connection")

    @exchange("5432/tcp", "a million rows counted by the client")
    def many(self, place):
        said = self.psql(place, "SELECT n, md5(n::text) FROM generate_series(1, 1000000) n")
        lines = said.split("\n")
        expect_equal(len(lines), 1_000_000, "rows")
        expect_equal(lines[-1], "1000000|8155bc545f84d9652f1012ef2bdfb6eb", "the last")


class Redis(Service):
    name = "redis"
    group = "check"
    needs = {"redis-server": "redis-server", "redis-cli": "redis-tools"}
    ports = ["6379/tcp"]

    def server(self, place):
        return ["redis-server", "--bind", "*", "-::*", "--protected-mode", "no", "--port", "6379",
                "--save", "", "--dir", place.directory]

    def cli(self, place, *words, address=None, **more):
        return place.client("redis-cli", "-h", address or place.address, *words, **more)

    @exchange("6379/tcp", "SET and GET, a value of 8 MB, IPv4 and IPv6")
    def value(self, place):
        expect_equal(self.cli(place, "SET", "haven", "ports").out.strip(), "OK", "SET")
        expect_equal(self.cli(place, "GET", "haven", address=place.address6).out.strip(), "ports",
                     "GET")
        data = os.urandom(4 * 1024 * 1024).hex()
        self.cli(place, "-x", "SET", "large", stdin=data)
        expect_equal(self.cli(place, "GET", "large").out.strip() == data, True, "8 MB as set")

    @exchange("6379/tcp", "10,000 commands in one pipe; publish and subscribe")
    def pipe(self, place):
        commands = "".join(f"INCRBY sum {number}\r\n" for number in range(10_000))
        expect_in("replies: 10000", self.cli(place, "--pipe", stdin=commands).out, "redis-cli")
        expect_equal(self.cli(place, "GET", "sum").out.strip(), "49995000", "sum")
        place.start_client("redis-cli", "-h", place.address, "SUBSCRIBE", "news")
        place.eventually(lambda: self.cli(place, "PUBLISH", "news", "through haven").out.strip() ==
                         "1", "there is a subscriber")
        place.eventually(lambda: "through haven" in place.client_log(), "it is told")
