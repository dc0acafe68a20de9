"""The network of the services: haven's host, and one machine outside.

    hvs-host                        hvs-out
    haven runs here      veth       clients and servers outside
    10.87.0.1/24  ----------------  10.87.0.2/24
    fd87::1/64                      fd87::2/64

    guest of `haven run`, or hvs-guest, which root's haven is attached to

In both, users may bind ports below 1024: so that a service has its well-known port and no root.
"""

import os
import shutil
import tempfile

from support.topology import USER, command, inside, make_user, remove_leftover, tune, wire

HOST, OUT, GUEST = "hvs-host", "hvs-out", "hvs-guest"
HOST4, HOST6 = "10.87.0.1", "fd87::1"
OUT4, OUT6 = "10.87.0.2", "fd87::2"
TUN = "/dev/net/tun"


def namespace_up(name):
    remove_leftover(name)
    command("ip", "netns", "add", name)
    command(*inside(name, "ip", "link", "set", "lo", "up"))


def namespace_down(name):
    command("ip", "netns", "del", name, check=False)


class Network:
    def __init__(self):
        self.directory = None
        self.tun_mode = None

    def up(self, haven):
        """Makes it all, and a copy of haven for the user, who may not read our build directory."""
        self.directory = tempfile.mkdtemp(prefix="hvs-")
        os.chmod(self.directory, 0o755)
        make_user()
        mode = os.stat(TUN).st_mode & 0o7777 if os.path.exists(TUN) else 0o666
        if mode & 0o666 != 0o666:  # open to users, as most distributions have it
            self.tun_mode = mode
            os.chmod(TUN, 0o666)
        for name in (HOST, OUT):
            namespace_up(name)
            tune(name)
            command(*inside(name, "sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"))
        wire(HOST, "out0", (HOST4, 24), (HOST6, 64), OUT, "host0", (OUT4, 24), (OUT6, 64))
        command(*inside(HOST, "ip", "route", "add", "default", "via", OUT4))
        command(*inside(HOST, "ip", "-6", "route", "add", "default", "via", OUT6))
        os.makedirs(f"/etc/netns/{HOST}", exist_ok=True)
        with open(f"/etc/netns/{HOST}/resolv.conf", "w", encoding="ascii") as file:
            file.write(f"nameserver {OUT4}\n")
        copy = f"{self.directory}/haven"
        shutil.copy(haven, copy)
        os.chmod(copy, 0o755)
        return copy

    def down(self):
        for name in (GUEST, HOST, OUT):
            namespace_down(name)
        shutil.rmtree(f"/etc/netns/{HOST}", ignore_errors=True)
        if self.tun_mode is not None:
            os.chmod(TUN, self.tun_mode)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


def as_user(*words):
    """The command line that becomes the unprivileged user first."""
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--inh-caps=-all",
            "env", f"HOME=/home/{USER}", f"USER={USER}", f"LOGNAME={USER}", *words]
