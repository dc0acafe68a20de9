"""How connections with TLS end: each direction by itself, without a goodbye, not at all.

    hvt-out: client.py == hvt-host:9001-9004 TLS -- haven -- in the clear -- guest: server.py
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor

from support.haven import eventually
from support.runner import expect, expect_equal, expect_in, expect_match, test
from support.topology import OUT4

from .support.client import BLOCK
from .support.place import authority, client, seen, start_server, told

SIZE = 3000000


@test(smoke=True)
def the_clients_direction_ends_first(haven):
    made = authority(haven)
    start_server(haven, made)
    got = client(made, "talk", str(SIZE), port="9001")
    digest = hashlib.sha256(b"".join(
        BLOCK[:min(len(BLOCK), SIZE - at)] for at in range(0, SIZE, len(BLOCK)))).hexdigest()
    expect_equal(got, {"answer": f"{SIZE} {digest}\n", "end": "close_notify"}, "the answer")


@test()
def the_guests_direction_ends_first(haven):
    made = authority(haven)
    start_server(haven, made)
    got = client(made, "listen", str(SIZE), port="9002")
    expect_equal(got, {"bytes": 1000000, "end": "close_notify", "fin": True}, "outside")
    eventually(lambda: f"9002 {SIZE} end" in seen(haven), f"the guest got all: {seen(haven)}")


@test(identities=("user",), links=("tap",))
def an_end_without_goodbye_is_a_reset(haven):
    made = authority(haven)
    start_server(haven, made, "--log", "info")
    client(made, "cut", str(SIZE), port="9003")
    eventually(lambda: f"9003 {SIZE} reset" in seen(haven), f"after the data: {seen(haven)}")
    expect_match(rf"TLS from {OUT4}:\d+ at port 9003: the peer ended without close_notify",
                 told(haven), "the line")


@test(identities=("user",), links=("tap",))
def a_reset_of_the_guest_is_no_goodbye(haven):
    made = authority(haven)
    start_server(haven, made)
    got = client(made, "listen", "0", port="9004")
    expect(got["end"] in ("reset", "truncated"), f"outside: {got}")


@test(identities=("user",), links=("tap",))
def who_stalls_is_dropped(haven):
    made = authority(haven)
    start_server(haven, made)
    before = seen(haven)
    with ThreadPoolExecutor() as pool:
        dropped = list(pool.map(lambda size: client(made, "stall", size, port="9003")["seconds"],
                                ("0", "100")))
    expect(min(dropped) > 9, f"not before its time: {dropped}")
    for words in ("the peer said nothing", "the peer stopped in the middle of it"):
        expect_in(f"the handshake was not complete after 10 s: {words}", told(haven), "a line")
    expect_equal(seen(haven), before, "the guest has seen nothing of them")
