"""A small gRPC service without generated code: messages are bytes.

  grpc_calls.py serve CERTIFICATE KEY           on 50051 (plain) and 50052 (TLS)
  grpc_calls.py call ADDRESS:PORT [AUTHORITY]   calls everything, and says "ok" for each
"""

import concurrent.futures
import hashlib
import queue
import sys

import grpc

ITEMS, ITEM_BYTES = 500, 16384


def digest(request, context):
    """Unary: bytes to their sha256."""
    if not request:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no bytes")
    return hashlib.sha256(request).hexdigest().encode()


def count(request, _context):
    """Server streaming: so many items."""
    for number in range(int(request)):
        yield number.to_bytes(4, "big") * (ITEM_BYTES // 4)


def total(requests, _context):
    """Client streaming: how many bytes came."""
    return str(sum(len(request) for request in requests)).encode()


def chat(requests, _context):
    """Both ways: each is answered before the next comes."""
    for request in requests:
        yield b"you said " + request


def serve(certificate, key):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("haven.Test", {
        "Digest": grpc.unary_unary_rpc_method_handler(digest),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }),))
    server.add_insecure_port("[::]:50051")
    with open(key, "rb") as key_file, open(certificate, "rb") as certificate_file:
        server.add_secure_port("[::]:50052", grpc.ssl_server_credentials(
            [(key_file.read(), certificate_file.read())]))
    server.start()
    server.wait_for_termination()


def dialogue(channel):
    """One word after the other: the next is only said when the last was answered."""
    words = queue.SimpleQueue()
    answers = channel.stream_stream("/haven.Test/Chat")(iter(words.get, None), timeout=30)
    for number in range(20):
        words.put(f"word {number}".encode())
        if next(answers) != f"you said word {number}".encode():
            return False
    words.put(None)
    return next(answers, None) is None


def refused(channel):
    try:
        channel.unary_unary("/haven.Test/Digest")(b"", timeout=30)
    except grpc.RpcError as error:
        return error.code() == grpc.StatusCode.INVALID_ARGUMENT and error.details() == "no bytes"
    return False


def call(target, authority=None):
    if authority:
        with open(authority, "rb") as file:
            channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(file.read()))
    else:
        channel = grpc.insecure_channel(target)
    data = bytes(range(256)) * 8192
    items = channel.unary_stream("/haven.Test/Count")(str(ITEMS).encode(), timeout=30)
    results = {
        "unary": channel.unary_unary("/haven.Test/Digest")(data, timeout=30) ==
        hashlib.sha256(data).hexdigest().encode(),
        "server streaming": [int.from_bytes(item[:4], "big") for item in items] ==
        list(range(ITEMS)),
        "client streaming": channel.stream_unary("/haven.Test/Total")(
            (b"x" * ITEM_BYTES for _ in range(ITEMS)), timeout=30) ==
        str(ITEMS * ITEM_BYTES).encode(),
        "both": dialogue(channel),
        "error": refused(channel),
    }
    for name, good in results.items():
        print(name, "ok" if good else "WRONG")


if __name__ == "__main__":
    {"serve": serve, "call": call}[sys.argv[1]](*sys.argv[2:])
