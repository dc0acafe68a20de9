#!/usr/bin/env python3
"""web.py CERTIFICATE KEY: what a well-behaved server does not do, or not always.

    TCP 8081     HTTP by path: /chunked, /until-end, /short (fewer bytes than it says), /moved, /missing, /bad-chunks,
                 /interim (100 Continue first), /empty (204), anything else: the request as it came
    TCP 8443     TLS: half of an answer, and FIN without close_notify
    TCP 8444     TLS: half of an answer, and an orderly end
    TCP 8445     TLS 1.2, ALPN "echo": echo
    TCP 9        reads nothing
"""

import socket
import ssl
import sys
import threading

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500


def read_head(client):
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            break
        head += data
    return head


def answer(head):
    path = head.split(b" ")[1]
    if path == b"/chunked":
        return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n"
                b"7\r\n, world\r\n0\r\nX-Trailer: 1\r\n\r\n")
    if path == b"/bad-chunks":
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, wo"
    if path == b"/until-end":
        return b"HTTP/1.0 200 OK\r\n\r\nto the end"
    if path == b"/short":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nonly this"
    if path == b"/moved":
        return (b"HTTP/1.1 301 Moved Permanently\r\nLocation: http://elsewhere.test/\r\n"
                b"Content-Length: 5\r\n\r\nmoved")
    if path == b"/missing":
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing"
    if path == b"/interim":
        return (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                b"final")
    if path == b"/empty":
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head)


def plain_http(client):
    client.sendall(answer(read_head(client)))


def cut_without_notify(client):
    read_head(client)
    client.sendall(HALF)
    client.shutdown(socket.SHUT_RDWR)  # of the socket below TLS


def cut_orderly(client):
    read_head(client)
    client.sendall(HALF)
    client.unwrap()


def echo(client):
    while data := client.recv(65536):
        client.sendall(data)
    client.unwrap()


def read_nothing(_client):
    threading.Event().wait()


def serve(port, handle, context=None):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True,
                                  backlog=64)

    def guarded(client):
        try:
            handle(context.wrap_socket(client, server_side=True) if context else client)
        except OSError:
            pass
        finally:
            client.close()

    def loop():
        while True:
            client, _ = server.accept()
            threading.Thread(target=guarded, args=(client,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    echoing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    echoing.load_cert_chain(sys.argv[1], sys.argv[2])
    echoing.maximum_version = ssl.TLSVersion.TLSv1_2
    echoing.set_alpn_protocols(["echo"])
    serve(8081, plain_http)
    serve(8443, cut_without_notify, context)
    serve(8444, cut_orderly, context)
    serve(8445, echo, echoing)
    serve(9, read_nothing)
    threading.Event().wait()


main()
