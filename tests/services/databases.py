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


class MariaDb(Service):
    name = "mysql"
    needs = {"mariadbd": "mariadb-server-core", "mariadb": "mariadb-client-core",
             "openssl": "openssl"}
    ports = ["3306/tcp"]

    def server(self, place):
        data = f"{place.directory}/data"
        place.prepare("mariadb-install-db", "--no-defaults", f"--datadir={data}",
                      "--auth-root-authentication-method=normal", "--skip-test-db")
        start = place.write("start.sql", "CREATE USER tester@'%' IDENTIFIED BY 'secret' REQUIRE SSL;\n"
                                         "GRANT ALL ON *.* TO tester@'%';\n")
        return ["mariadbd", "--no-defaults", f"--datadir={data}", "--bind-address=*",
                "--port=3306", f"--socket={place.directory}/socket", f"--init-file={start}",
                f"--ssl-cert={place.tls.certificate}", f"--ssl-key={place.tls.key}",
                f"--ssl-ca={place.tls.ca}", "--skip-name-resolve"]

    def sql(self, place, text, address=None):
        return place.client("mariadb", "--no-defaults", "-N", "-B", "-h",
                            address or place.address, "-P", "3306", "--protocol=tcp", "-u",
                            "tester", "-psecret", f"--ssl-ca={place.tls.ca}",
                            "--ssl-verify-server-cert", stdin=text).out

    @exchange("3306/tcp", "TLS, rows inserted and selected, IPv4 and IPv6")
    def rows(self, place):
        self.sql(place, "CREATE DATABASE test; CREATE TABLE test.ports (number int, service text);"
                        "INSERT INTO test.ports VALUES (3306, 'mysql'), (123, 'ntp');")
        said = self.sql(place, "SELECT service FROM test.ports ORDER BY number;",
                        address=place.address6)
        expect_equal(said.split(), ["ntp", "mysql"], "rows")
        expect_in(f"tester@{place.peer}", self.sql(place, "SELECT USER();"), "who")

    @exchange("3306/tcp", "a blob of 8 MB stored and read back")
    def blob(self, place):
        data = os.urandom(4 * 1024 * 1024).hex()
        self.sql(place, "CREATE DATABASE blobs; CREATE TABLE blobs.b (data LONGBLOB);\n"
                        f"INSERT INTO blobs.b VALUES ('{data}');")
        expect_equal(self.sql(place, "SELECT data FROM blobs.b;").strip() == data, True,
                     "8 MB as stored")


class SqlServer(Service):
    """The server is ours (programs/tds.py): Debian has none, only its clients."""

    name = "ms-sql-s"
    needs = {"tsql": "freetds-bin"}
    ports = ["1433/tcp", "1434/udp"]

    def server(self, place):
        return ["/usr/bin/python3", place.program("tds.py"), "tester", "secret"]

    def tsql(self, place, sql, password="secret", **more):
        return place.client("env", "TDSVER=7.4", "tsql", "-H", place.address, "-p", "1433", "-U",
                            "tester", "-P", password, "-o", "fqh", stdin=f"{sql}\nGO\n", **more)

    @exchange("1433/tcp", "FreeTDS and a responder of ours: login, insert, select")
    def rows(self, place):
        self.tsql(place, "CREATE TABLE ports (number, service)")
        self.tsql(place, "INSERT INTO ports VALUES (1433, 'ms-sql-s'), (1434, 'ms-sql-m')")
        said = self.tsql(place, "SELECT number, service FROM ports ORDER BY number").out
        expect_equal(said.split(), ["1433", "ms-sql-s", "1434", "ms-sql-m"], "rows")
        expect_in("Login failed", self.tsql(place, "SELECT 1", password="wrong", status=1).err,
                  "a wrong password")

    @exchange("1434/udp", "FreeTDS asks for instances", service="ms-sql-m")
    def browse(self, place):
        said = place.client("tsql", "-L", "-H", place.address).err.split()
        expect_in("MSSQLSERVER", said, "instances")
        expect_in("1433", said, "its port")
