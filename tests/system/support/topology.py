"""The network of the system tests: four namespaces, made and removed by us.

    hvt-host                    hvt-out                       hvt-far
    haven runs here    veth     router, servers      veth     servers two hops away
    10.77.0.1/24  ------------  10.77.0.2/24
    fd77::1/64                  fd77::2/64
                                10.78.0.1/24  -------------   10.78.0.2/24
                                fd78::1/64                    fd78::2/64

                                                              hvt-web
                                                    veth      the servers of policy/
                                10.82.0.1/24  -------------   10.82.0.2/24
                                fd82::1/64                    fd82::2/64

Routes in hvt-host: default through hvt-out. Through it, too:
    10.79.0.0/16, fd79::/64     packets are dropped there, without a word (a silent host)
    10.80.0.0/16, fd80::/64     answered "host unreachable" there
and 10.81.0.0/16 is unreachable in hvt-host itself.
The resolver of hvt-host is dnsmasq in hvt-out (by /etc/netns/hvt-host/resolv.conf). Most of its names are in
policy/support/dnsmasq.conf; a test can add some (Topology.name).
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HOST, OUT, FAR, WEB = "hvt-host", "hvt-out", "hvt-far", "hvt-web"
NAMESPACES = (HOST, OUT, FAR, WEB)
HOST4, HOST6 = "10.77.0.1", "fd77::1"
OUT4, OUT6 = "10.77.0.2", "fd77::2"
FAR4, FAR6 = "10.78.0.2", "fd78::2"
WEB4, WEB6 = "10.82.0.2", "fd82::2"
SILENT4, SILENT6 = "10.79.0.1", "fd79::1"
UNREACHABLE4, UNREACHABLE6 = "10.80.0.1", "fd80::1"
NO_ROUTE4 = "10.81.0.1"
USER = "haventest"
SUPPORT = os.path.dirname(os.path.abspath(__file__))
NAMES = f"{os.path.dirname(SUPPORT)}/policy/support/dnsmasq.conf"


def command(*words, check=True, **options):
    """Runs a short command to its end and returns its CompletedProcess."""
    return subprocess.run(words, check=check, timeout=30, text=True, capture_output=True,
                          **options)


def inside(namespace, *words):
    return ["ip", "netns", "exec", namespace, *words]


def remove_leftover(name):
    """Ends and removes what a run left that was killed: the caller holds the lock of all runs."""
    if not os.path.exists(f"/run/netns/{name}"):
        return
    print(f"namespace {name} is left from a run that was killed: removed", file=sys.stderr)
    for process in command("ip", "netns", "pids", name, check=False).stdout.split():
        try:
            os.kill(int(process), signal.SIGKILL)
        except ProcessLookupError:
            pass
    command("ip", "netns", "del", name)


class Topology:
    def __init__(self):
        self.processes = []
        self.directory = None
        self.tun_mode = None
        self.resolver = None
        self.hosts = None

    def up(self):
        self.directory = tempfile.mkdtemp(prefix="hvt-")
        os.chmod(self.directory, 0o777)
        self.open_tun()
        make_user()
        for name in NAMESPACES:
            remove_leftover(name)
        resolver = f"/etc/netns/{HOST}"
        os.makedirs(resolver, exist_ok=True)
        with open(f"{resolver}/resolv.conf", "w", encoding="ascii") as file:
            file.write(f"nameserver {OUT4}\n")
        for name in NAMESPACES:
            command("ip", "netns", "add", name)
            command(*inside(name, "ip", "link", "set", "lo", "up"))
            tune(name)
        wire(HOST, "out0", (HOST4, 24), (HOST6, 64), OUT, "host0", (OUT4, 24), (OUT6, 64))
        wire(OUT, "far0", ("10.78.0.1", 24), ("fd78::1", 64), FAR, "out0", (FAR4, 24),
             (FAR6, 64))
        wire(OUT, "web0", ("10.82.0.1", 24), ("fd82::1", 64), WEB, "out0", (WEB4, 24),
             (WEB6, 64))
        routes()

    def open_tun(self):
        """TAP as a user takes a device open to users; most distributions have it so."""
        if os.path.exists("/dev/net/tun"):
            self.tun_mode = os.stat("/dev/net/tun").st_mode & 0o7777
            os.chmod("/dev/net/tun", 0o666)

    def start(self, namespace, *words, **options):
        """A server in a namespace, ended with the topology."""
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(inside(namespace, *words), stdin=subprocess.DEVNULL,
                                   **options)
        self.processes.append(process)
        return process

    def servers(self):
        for namespace in (OUT, FAR):
            self.start(namespace, "python3", f"{SUPPORT}/peers.py")
        self.start_resolver()
        wait_listening(OUT, 7, 80, 53)
        wait_listening(FAR, 7, 80)

    def start_resolver(self):
        self.hosts = f"{self.directory}/hosts"
        with open(self.hosts, "w", encoding="ascii"):
            pass
        self.resolver = self.start(
            OUT, "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts",
            f"--conf-file={NAMES}", f"--addn-hosts={self.hosts}", "--pid-file", "--user=root",
            "--bind-interfaces", f"--listen-address={OUT4},{OUT6}",
            f"--address=/out.test/{OUT4}", f"--address=/out.test/{OUT6}",
            f"--txt-record=large.test{',0123456789' * 90}")

    def name(self, name, address):
        """From now on (once dnsmasq has read it) `name` has this address and no other."""
        with open(self.hosts, "w", encoding="ascii") as file:
            file.write(f"{address} {name}\n")
        self.resolver.send_signal(signal.SIGHUP)

    def down(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        for name in NAMESPACES:
            command("ip", "netns", "del", name, check=False)
        shutil.rmtree(f"/etc/netns/{HOST}", ignore_errors=True)
        if self.tun_mode is not None:
            os.chmod("/dev/net/tun", self.tun_mode)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


def make_user():
    if command("id", USER, check=False).returncode != 0:
        command("useradd", "--create-home", USER)


def tune(name):
    """This kernel's default congestion control behaves badly on such paths."""
    allowed = "net.ipv4.tcp_allowed_congestion_control"
    current = command("sysctl", "-n", allowed).stdout.split()
    if "cubic" not in current:
        command("sysctl", "-qw", f"{allowed}={' '.join(current + ['cubic'])}")
    command(*inside(name, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=cubic"))
    for setting in ("net.ipv4.ip_local_port_range=10000 65000", "net.core.somaxconn=65535",
                    "net.ipv4.tcp_max_syn_backlog=65535", "net.ipv4.icmp_ratelimit=0",
                    "net.ipv4.icmp_msgs_per_sec=100000", "net.ipv6.icmp.ratelimit=0",
                    "net.ipv4.ping_group_range=0 2147483647"):
        command(*inside(name, "sysctl", "-qw", setting), check=False)


def wire(one, one_end, one4, one6, other, other_end, other4, other6):
    command(*inside(one, "ip", "link", "add", one_end, "type", "veth", "peer", "name",
                    other_end, "netns", other))
    for name, end, (address4, bits4), (address6, bits6) in (
            (one, one_end, one4, one6), (other, other_end, other4, other6)):
        command(*inside(name, "ip", "link", "set", end, "up"))
        command(*inside(name, "ip", "address", "add", f"{address4}/{bits4}", "dev", end))
        command(*inside(name, "ip", "address", "add", f"{address6}/{bits6}", "dev", end,
                        "nodad"))


def routes():
    command(*inside(HOST, "ip", "route", "add", "default", "via", OUT4))
    command(*inside(HOST, "ip", "-6", "route", "add", "default", "via", OUT6))
    command(*inside(HOST, "ip", "route", "add", "unreachable", "10.81.0.0/16"))
    for name, net in ((FAR, 78), (WEB, 82)):
        command(*inside(name, "ip", "route", "add", "default", "via", f"10.{net}.0.1"))
        command(*inside(name, "ip", "-6", "route", "add", "default", "via", f"fd{net}::1"))
    command(*inside(OUT, "ip", "route", "add", "blackhole", "10.79.0.0/16"))
    command(*inside(OUT, "ip", "-6", "route", "add", "blackhole", "fd79::/64"))
    command(*inside(OUT, "ip", "route", "add", "unreachable", "10.80.0.0/16"))
    command(*inside(OUT, "ip", "-6", "route", "add", "unreachable", "fd80::/64"))
    command(*inside(OUT, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
    command(*inside(OUT, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"))


def wait_listening(namespace, *ports, seconds=10):
    """Waits until something listens (TCP) on every port; polls the kernel's table."""
    deadline = time.monotonic() + seconds
    for port in ports:
        while not command(*inside(namespace, "ss", "-Hltn", f"sport = :{port}")).stdout:
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing listens on port {port} of {namespace}")
            time.sleep(0.02)
