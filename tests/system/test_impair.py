"""A bad network on purpose (--impair), and TCP that carries everything through it.

    guest -- fault wrapper -- haven -- hvt-host == veth == hvt-out: HTTP on port 80
"""

from support.runner import expect, expect_equal, expect_match, test
from support.topology import OUT4, OUT6
from test_transfer import digest_of, upload_file, url

BAD = "loss=2% reorder=5% delay=10ms"
WHOLE = 100 << 20  # at haven's own MTU: packets of up to 64 KiB
PART = 10 << 20    # in packets of 1500 bytes, of which 2% are lost: 0.6 Mbyte/s at the best


def lost(err, direction):
    """Counters that haven prints at the end: (packets, lost). in: towards the guest."""
    found = expect_match(rf"impaired {direction}: (\d+) packets, (\d+) lost", err,
                         "counters at the end")
    return int(found[1]), int(found[2])


def kernel_counter(text, prefix, name):
    lines = [line.split() for line in text.splitlines() if line.startswith(prefix)]
    return int(lines[1][lines[0].index(name)])


def transfer(haven, mtu, size, words, direction):
    """One stream through the bad network; what both ends counted. Returns the guest's text."""
    script = f"{words}; cat /proc/net/snmp /proc/net/netstat"
    result = haven.run("--mtu", str(mtu), "--impair", BAD, "--", "sh", "-c", script, seconds=200)
    expect_equal((result.out.split() or [result.err])[0], digest_of(size), "SHA-256")
    packets, missing = lost(result.err, direction)
    expect(packets > size / mtu, f"it was carried in packets of the wire's size: {packets}")
    few, many = (0.015, 0.025) if packets > 5000 else (0.007, 0.04)
    expect(few < missing / packets < many, f"2% were lost: {missing} of {packets}")
    return result.out, missing


def fetch(haven, mtu, size):
    out, missing = transfer(haven, mtu, size,
                            f"curl -s {url(OUT4, f'/bytes/{size}')} | sha256sum", "in")
    expect(kernel_counter(out, "TcpExt:", "TCPOFOQueue") >= missing / 2,
           "the guest's kernel saw the holes in the stream")


def send(haven, mtu, size):
    out, missing = transfer(haven, mtu, size,
                            f"curl -s -T {upload_file(haven, size)} {url(OUT6, '/upload')}", "out")
    expect(kernel_counter(out, "Tcp:", "RetransSegs") >= missing * 3 / 4,
           "the guest's kernel sent again what was lost")


@test(identities=("root", "user"))
def hundred_mebibytes_fetched(haven):
    fetch(haven, 65520, WHOLE)


@test(identities=("root", "user"))
def hundred_mebibytes_sent(haven):
    send(haven, 65520, WHOLE)


@test(identities=("user",))
def small_packets_fetched(haven):
    fetch(haven, 1500, PART)


@test(identities=("user",))
def small_packets_sent(haven):
    send(haven, 1500, PART)


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
