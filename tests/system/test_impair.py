"""A bad network on purpose (--impair), and TCP that carries everything through it.

    guest -- fault wrapper -- haven -- hvt-host == veth == hvt-out: HTTP on port 80
"""

from support.runner import expect, expect_equal, expect_match, test
from support.topology import OUT4, OUT6
from test_transfer import digest_of, upload_file, url

SIZE = 100 << 20
BAD = "loss=2% reorder=5% delay=10ms"


def lost(err):
    """Counters that haven prints at the end: {direction: (packets, lost)}."""
    counters = {}
    for direction in ("in", "out"):
        found = expect_match(rf"impaired {direction}: (\d+) packets, (\d+) lost", err,
                             "counters at the end")
        counters[direction] = int(found[1]), int(found[2])
    return counters


def transfer(haven, words, wanted, data_direction):
    # One wire's segments, not 64 KiB: the guest's own counters say what had to be sent again.
    script = (f"{words}; grep -E '^Tcp:' /proc/net/snmp; grep -E '^TcpExt:' /proc/net/netstat")
    result = haven.run("--mtu", "1500", "--impair", BAD, "--", "sh", "-c", script, seconds=240)
    expect_equal((result.out.split() or [result.err])[0], wanted, "SHA-256")
    packets, missing = lost(result.err)[data_direction]
    expect(packets > SIZE / 1600, f"it was carried in packets of the wire's size: {packets}")
    expect(0.015 < missing / packets < 0.025, f"2% were lost: {missing} of {packets}")
    return result.out


def kernel_counter(text, prefix, name):
    lines = [line.split() for line in text.splitlines() if line.startswith(prefix)]
    return int(lines[1][lines[0].index(name)])


@test(identities=("user",))
def fetch_through_loss(haven):
    out = transfer(haven, f"curl -s {url(OUT4, f'/bytes/{SIZE}')} | sha256sum", digest_of(SIZE),
                   "out")
    expect(kernel_counter(out, "TcpExt:", "TCPOFOQueue") > 100,
           "the guest's kernel saw holes in the stream")


@test(identities=("user",))
def send_through_loss(haven):
    out = transfer(haven, f"curl -s -T {upload_file(haven, SIZE)} {url(OUT6, '/upload')}",
                   digest_of(SIZE), "in")
    expect(kernel_counter(out, "Tcp:", "RetransSegs") > 100,
           "the guest's kernel had to send again")


@test(identities=("user",), smoke=True)
def corruption_is_noticed(haven):
    size = 4 << 20
    result = haven.run("--mtu", "1500", "--impair", "corrupt=1% duplicate=2%", "--", "sh", "-c",
                       f"curl -s {url(OUT4, f'/bytes/{size}')} | sha256sum", seconds=120)
    expect_equal((result.out.split() or [result.err])[0], digest_of(size), "SHA-256")


@test(identities=("user",))
def one_direction_only(haven):
    result = haven.run("--impair", "in.delay=150ms", "--", "ping", "-c", "2", "-W", "3",
                       "10.0.2.2")
    found = expect_match(r"= [\d.]+/([\d.]+)/", result.out, "ping's times")
    expect(150 <= float(found[1]) < 280, f"150 ms one way: {found[1]}")
