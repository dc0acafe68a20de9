"""The command as a user meets it: exit status, signals, errors, and nothing left behind."""

import os
import signal
import subprocess

from support.haven import eventually
from support.runner import Skip, expect, expect_equal, expect_in, expect_match, test
from support.topology import OUT4, USER, command


@test(smoke=True)
def exit_status_is_the_commands(haven):
    for status in (0, 1, 42, 255):
        expect_equal(haven.run("--", "sh", "-c", f"exit {status}").status, status, "exit status")
    expect_equal(haven.run("--", "sh", "-c", "kill -9 $$").status, 137, "killed by signal 9")
    expect_equal(haven.run("--", "sh", "-c", "kill -15 $$").status, 143, "killed by signal 15")


@test(smoke=True)
def missing_command_and_not_executable(haven):
    result = haven.run("--", "no-such-command-here")
    expect_equal(result.status, 127, "exit status of a missing command")
    expect_in("no-such-command-here", result.err, "which is named")
    result = haven.run("--", "/etc/passwd")
    expect_equal(result.status, 126, "exit status of what is not executable")


@test(links=("veth",), smoke=True)
def bad_options_are_clear(haven):
    for words, part in ((("--no-such-option",), "--no-such-option"),
                        (("--mtu", "12"), "mtu"),
                        (("--mtu", "many"), "mtu"),
                        (("-p", "70000:80"), "70000"),
                        (("-p", "80-90:80-84"), "80-90"),
                        (("--impair", "loss=2%%"), "loss"),
                        (("--impair", "lost=2%"), "lost"),
                        (("--dns", "not-an-address"), "not-an-address"),
                        (("--host-loopback", "x"), "host-loopback"),
                        (("--log", "loud"), "loud")):
        result = haven.run(*words, "--", "true")
        expect_equal(result.status, 125, f"exit status with {words}")
        expect_equal(len(result.err.strip().splitlines()), 1, f"one line for {words}: {result.err}")
        expect_in(part, result.err, f"the line names it, with {words}")
        expect(result.err.startswith("haven"), f"the line says who speaks: {result.err}")


@test(links=("veth",))
def help_and_version(haven):
    result = haven.call(haven.binary, "--help")
    expect_equal(result.status, 0, "haven --help")
    expect_in("run", result.out, "it names the sub-commands")
    result = haven.call(haven.binary, "run", "--help")
    expect_in("--publish", result.out, "options")
    expect_match(r"^haven \d", haven.call(haven.binary, "--version").out, "version")
    result = haven.call(haven.binary, "rnu")
    expect_equal(result.status, 125, "unknown sub-command")
    expect_in("run", result.err, "the nearest one")


@test(smoke=True)
def streams_pass_through(haven):
    process = haven.start("--", "cat", stdin=subprocess.PIPE)
    out, _ = process.communicate("a line\nand another\n", timeout=20)
    expect_equal(out, "a line\nand another\n", "standard input to standard output")
    result = haven.run("--", "sh", "-c", "echo to-err >&2")
    expect_equal(result.err, "to-err\n", "standard error, and nothing of ours")


@test()
def identity_inside(haven):
    result = haven.run("--", "id", "-u")
    expected = command("id", "-u", USER).stdout if haven.identity == "user" else "0\n"
    expect_equal(result.out, expected, "own id inside")
    expect_equal(haven.run("--root", "--", "id", "-u").out, "0\n", "root with --root")


@test(smoke=True)
def network_inside(haven):
    result = haven.run("--", "sh", "-c", "ip -o address; ip route; cat /etc/resolv.conf")
    for part in ("10.0.2.100/24", "fd00::100/64", "default via 10.0.2.2", "nameserver 10.0.2.3",
                 "127.0.0.1/8"):
        expect_in(part, result.out, "addresses, route and resolver")
    result = haven.run("--", "python3", "-c",
                       "import socket; [socket.create_server(('', p)) for p in (1, 80, 65535)]; "
                       "print('bound')")
    expect_equal(result.out, "bound\n", f"ports 1, 80 and 65535: {result.err}")


@test(identities=("user",))
def addresses_can_be_set(haven):
    result = haven.run("--address", "192.168.7.5/24", "--gateway", "192.168.7.1", "--", "sh",
                       "-c", "ip -o address; ip route; ping -c 1 -W 2 192.168.7.1")
    for part in ("192.168.7.5/24", "default via 192.168.7.1", " 0% packet loss"):
        expect_in(part, result.out, "the address that was asked for")
    result = haven.run("-4", "--", "ip", "-6", "-o", "address", "show", "scope", "global")
    expect_equal(result.out, "", "no IPv6 with -4")


@test(smoke=True)
def signals_are_forwarded(haven):
    for number, name in ((signal.SIGTERM, "TERM"), (signal.SIGINT, "INT"), (signal.SIGHUP, "HUP")):
        process = haven.start("--", "sh", "-c",
                              f"trap 'echo got {name}; exit 7' {name}; echo up; "
                              "while :; do sleep 0.05; done")
        expect_equal(process.stdout.readline(), "up\n", "it runs")
        os.kill(haven.gateway(process), number)
        expect_equal(process.stdout.readline(), f"got {name}\n", "the command got it")
        expect_equal(process.wait(20), 7, "and its exit status is ours")


def leftovers(word):
    """Processes whose command line has the word, by ps (which shows all of them)."""
    lines = command("ps", "-eo", "pid,args").stdout.splitlines()
    return [line for line in lines if word in line and "ps -eo" not in line]


@test(smoke=True)
def kill_9_of_haven_ends_everything(haven):
    namespaces = len(command("lsns", "-t", "net", "-n").stdout.splitlines())
    process = haven.start("--", "sh", "-c", "echo up; sleep 98765 & sleep 98765")
    expect_equal(process.stdout.readline(), "up\n", "it runs")
    os.kill(haven.gateway(process), signal.SIGKILL)
    eventually(lambda: not leftovers("sleep 98765"), "the command is gone")
    eventually(lambda: len(command("lsns", "-t", "net", "-n").stdout.splitlines()) == namespaces,
               "the namespaces are gone")


@test(smoke=True)
def kill_9_of_the_command_ends_haven(haven):
    process = haven.start("--", "sh", "-c", "echo up; exec sleep 87654")
    expect_equal(process.stdout.readline(), "up\n", "it runs")
    pid = leftovers("sleep 87654")
    target = [line.split()[0] for line in pid if "haven" not in line]
    os.kill(int(target[0]), signal.SIGKILL)
    expect_equal(process.wait(20), 137, "exit status")
    expect_equal(leftovers("sleep 87654"), [], "nothing is left")


@test()
def background_processes_end_with_the_command(haven):
    result = haven.run("--", "sh", "-c", "setsid sleep 76543 >/dev/null 2>&1 & echo done")
    expect_equal(result.out, "done\n", "the command")
    eventually(lambda: not leftovers("sleep 76543"), "its children are gone")


@test(identities=("user",), links=("veth",))
def no_user_namespaces_says_how(haven):
    """The limit is set to 0 in a user namespace around haven: nothing else is disturbed."""
    script = ("echo 0 >/proc/sys/user/max_user_namespaces && "
              f"exec setpriv --inh-caps=-all --ambient-caps=-all {haven.binary} run -- true")
    result = haven.call("unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c",
                        script)
    expect_equal(result.status, 125, f"exit status: {result.err}")
    expect_in("user.max_user_namespaces", result.err, "what to set")


@test(links=("tap",), identities=("user",))
def closed_tun_device_says_how(haven):
    if not os.path.exists("/dev/net/tun"):
        raise Skip("no /dev/net/tun here")
    os.chmod("/dev/net/tun", 0o600)
    try:
        result = haven.run("--", "true")
        expect_equal(result.status, 125, "exit status with --link tap")
        expect_in("/dev/net/tun", result.err, "the device is named")
        automatic = haven.finish(haven.words(haven.binary, "run", "--", "ip",
                                             "-brief", "address", "show", "eth0"), 20)
        expect_in("10.0.2.100", automatic.out, f"veth is taken by itself: {automatic.err}")
    finally:
        os.chmod("/dev/net/tun", 0o666)


@test(identities=("root", "user"), links=("tap", "veth"))
def attach_to_a_namespace(haven):
    holder = subprocess.Popen(haven.words("unshare", "-r", "-n", "--kill-child", "sh", "-c",
                                          "echo up; exec sleep 65432"), stdout=subprocess.PIPE,
                              text=True)
    haven.processes.append(holder)
    expect_equal(holder.stdout.readline(), "up\n", "the namespace is there")
    pid = [line.split()[0] for line in leftovers("sleep 65432")
           if line.split()[1:2] == ["sleep"]][0]
    attached = subprocess.Popen(haven.words(haven.binary, "attach", "--link", haven.link, pid),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    haven.processes.append(attached)
    enter = haven.words("nsenter", "-t", pid, "-U", "-n", "--preserve-credentials")
    eventually(lambda: "10.0.2.100" in subprocess.run(
        [*enter, "ip", "address"], capture_output=True, text=True, check=False).stdout, "address")
    result = haven.finish([*enter, "curl", "-s", "-m", "10", f"http://{OUT4}/bytes/3", "-o",
                           "/dev/null", "-w", "%{size_download}"], 20)
    expect_equal(result.out, "3", f"curl in the namespace: {result.err}")
    os.kill(int(pid), signal.SIGKILL)
    expect_equal(attached.wait(20), 0, "it ends with the namespace")


@test(identities=("user",))
def capture_opens_in_wireshark(haven):
    path = f"{haven.topology.directory}/{haven.identity}-{haven.link}.pcap"
    result = haven.run("--pcap", path, "--", "curl", "-s", f"http://{OUT4}/bytes/1000000", "-o",
                       "/dev/null")
    expect_equal(result.status, 0, "curl")
    seen = command("tshark", "-r", path, "-o", "tcp.check_checksum:TRUE", "-Y",
                   "tcp.checksum.status == \"Bad\" || ip.checksum.status == \"Bad\" "
                   "|| _ws.malformed", check=False)
    expect_equal(seen.stdout, "", "bad checksums and malformed packets")
    packets = command("tshark", "-r", path, "-Y", "tcp.flags.syn == 1").stdout
    expect_in("[SYN, ACK]", packets, "the handshake")


@test(identities=("user",))
def set_up_is_quick(haven):
    """The design's bound is 30 ms to the first instruction; here only that it is told."""
    result = haven.run("--log", "debug", "--", "true")
    expect_match(r"ready in \d+(\.\d+)? ms", result.err, "the time is in the log")
