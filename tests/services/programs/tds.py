"""A small Microsoft SQL Server: what TDS 7.2 and later ([MS-TDS]) needs for a login and for batches of
SQL, which sqlite runs; and the browser of instances at UDP 1434 ([MC-SQLR]). Debian has clients of
that server (FreeTDS) but none of the servers.

  tds.py USER PASSWORD    listens on 1433/tcp and 1434/udp, IPv4 and IPv6
"""

import socketserver
import sqlite3
import struct
import sys
import threading

SQL_BATCH, REPLY, LOGIN7, PRELOGIN = 0x01, 0x04, 0x10, 0x12
END_OF_MESSAGE = 0x01
PRELOGIN_VERSION, PRELOGIN_ENCRYPTION, PRELOGIN_END = 0, 1, 0xFF
ENCRYPT_NOT_SUPPORTED = 2
TDS_7_4 = 0x74000004
TOKEN_COLUMNS, TOKEN_ERROR, TOKEN_LOGIN, TOKEN_ROW, TOKEN_DONE = 0x81, 0xAA, 0xAD, 0xD1, 0xFD
DONE_ERROR, DONE_COUNT = 0x02, 0x10
TYPE_NVARCHAR = 0xE7
COLLATION = bytes((0x09, 0x04, 0xD0, 0x00, 0x34))  # English, case-insensitive
LOGIN_FAILED, SYNTAX = 18456, 102
PAYLOAD_MAX = 4088  # of a packet of 4096 bytes

DATABASE = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
LOCK = threading.Lock()


def counted(text):
    return struct.pack("<B", len(text)) + text.encode("utf-16-le")


def error(number, text):
    body = struct.pack("<IBBH", number, 1, 14, len(text)) + text.encode("utf-16-le") + \
        counted("haven-test") + counted("") + struct.pack("<I", 1)
    return struct.pack("<BH", TOKEN_ERROR, len(body)) + body


def done(status=0, rows=0):
    return struct.pack("<BHHQ", TOKEN_DONE, status, 0, rows)


def login_ack():
    body = struct.pack(">BI", 1, TDS_7_4) + counted("haven test server") + bytes((15, 0, 0, 1))
    return struct.pack("<BH", TOKEN_LOGIN, len(body)) + body


def table(names, rows):
    """All columns are text."""
    answer = struct.pack("<BH", TOKEN_COLUMNS, len(names))
    for name in names:
        answer += struct.pack("<IHBH", 0, 1, TYPE_NVARCHAR, 8000) + COLLATION + counted(name)
    for row in rows:
        answer += struct.pack("<B", TOKEN_ROW)
        for value in row:
            data = str(value).encode("utf-16-le")
            answer += struct.pack("<H", 0xFFFF) if value is None else \
                struct.pack("<H", len(data)) + data
    return answer + done(DONE_COUNT, len(rows))


def run_batch(data):
    headers = struct.unpack_from("<I", data)[0]
    sql = data[headers:].decode("utf-16-le").strip()
    if sql.lower().startswith("set "):  # options of the session
        return done()
    try:
        with LOCK:
            cursor = DATABASE.execute(sql)
            rows = cursor.fetchall()
    except sqlite3.Error as wrong:
        return error(SYNTAX, str(wrong)) + done(DONE_ERROR)
    if cursor.description is None:
        return done(DONE_COUNT, max(cursor.rowcount, 0))
    return table([column[0] for column in cursor.description], rows)


def login_of(data):
    """User and password; each byte of the password has its halves swapped, and 0xA5 on top."""
    user_at, user_size, password_at, password_size = struct.unpack_from("<4H", data, 40)
    user = data[user_at:user_at + 2 * user_size].decode("utf-16-le")
    hidden = data[password_at:password_at + 2 * password_size]
    clear = bytes(((byte ^ 0xA5) << 4 | (byte ^ 0xA5) >> 4) & 0xFF for byte in hidden)
    return user, clear.decode("utf-16-le")


class Session(socketserver.StreamRequestHandler):
    def read_message(self):
        """(type, payload), or None at the end."""
        payload = b""
        while True:
            header = self.rfile.read(8)
            if len(header) < 8:
                return None
            kind, status, size = struct.unpack_from(">BBH", header)
            payload += self.rfile.read(size - 8)
            if status & END_OF_MESSAGE:
                return kind, payload

    def write_message(self, payload):
        for number, start in enumerate(range(0, len(payload), PAYLOAD_MAX)):
            part = payload[start:start + PAYLOAD_MAX]
            last = start + PAYLOAD_MAX >= len(payload)
            self.wfile.write(struct.pack(">BBHHBB", REPLY, END_OF_MESSAGE if last else 0,
                                         len(part) + 8, 1, (number + 1) & 0xFF, 0) + part)

    def handle(self):
        logged_in = False
        while message := self.read_message():
            kind, payload = message
            if kind == PRELOGIN:
                self.write_message(struct.pack(">BHHBHHB", PRELOGIN_VERSION, 11, 6,
                                               PRELOGIN_ENCRYPTION, 17, 1, PRELOGIN_END) +
                                   struct.pack(">BBHH", 15, 0, 1, 0) +
                                   bytes((ENCRYPT_NOT_SUPPORTED,)))
            elif kind == LOGIN7:
                logged_in = login_of(payload) == tuple(sys.argv[1:3])
                self.write_message(login_ack() + done() if logged_in else
                                   error(LOGIN_FAILED, "Login failed for user") +
                                   done(DONE_ERROR))
            elif kind == SQL_BATCH and logged_in:
                self.write_message(run_batch(payload))
            else:
                return


class Browser(socketserver.DatagramRequestHandler):
    def handle(self):
        if self.rfile.read(1) in (b"\x02", b"\x03", b"\x04"):
            text = b"ServerName;HAVEN;InstanceName;MSSQLSERVER;IsClustered;No;" \
                   b"Version;15.0.0.1;tcp;1433;;"
            self.wfile.write(b"\x05" + struct.pack("<H", len(text)) + text)


class Tcp(socketserver.ThreadingTCPServer):
    address_family = socketserver.socket.AF_INET6
    allow_reuse_address = daemon_threads = True


class Udp(socketserver.UDPServer):
    address_family = socketserver.socket.AF_INET6


if __name__ == "__main__":
    threading.Thread(target=Udp(("::", 1434), Browser).serve_forever, daemon=True).start()
    Tcp(("::", 1433), Session).serve_forever()
