"""Published ports: real servers inside, real clients outside.

    hvt-out: clients == veth == hvt-host:18080 -- haven -- guest: nginx on port 80
"""

import json
import os
import subprocess

from support.haven import eventually
from support.runner import expect, expect_equal, expect_in, expect_match, test
from support.topology import HOST, HOST4, HOST6, OUT, OUT4, OUT6, SUPPORT, command, inside
from support.topology import wait_listening

NGINX = """
daemon off; worker_processes 1; error_log {dir}/error.log warn; pid {dir}/pid;
events {{ worker_connections 4096; }}
http {{
    access_log {dir}/access.log; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;
    fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
    keepalive_requests 1000000;
    server {{
        listen 80 backlog=4096; listen [::]:80 backlog=4096;
        location / {{ return 200 "$remote_addr $remote_port\\n"; }}
    }}
}}
"""


def nginx(haven):
    """A configuration that any identity can run, in a directory of its own."""
    place = f"{haven.topology.directory}/nginx-{haven.identity}-{haven.link}"
    os.makedirs(place, exist_ok=True)
    os.chmod(place, 0o777)
    with open(f"{place}/conf", "w", encoding="ascii") as file:
        file.write(NGINX.format(dir=place))
    return ["/usr/sbin/nginx", "-c", f"{place}/conf", "-e", f"{place}/error.log"]


def outside(*words, seconds=60):
    return subprocess.run(inside(OUT, *words), timeout=seconds, text=True,
                          capture_output=True, check=False)


def serve(haven, *options):
    haven.start_publishing(18080, *options, "--", *nginx(haven))
    eventually(lambda: outside("curl", "-s", "-m", "2", f"http://{HOST4}:18080/").returncode == 0,
               "nginx answers")


def load(requests, clients, *options):
    done = outside("python3", f"{SUPPORT}/load.py", HOST4, "18080", str(requests), str(clients),
                   *options, seconds=120)
    expect_equal(done.returncode, 0, f"load: {done.stderr}")
    return json.loads(done.stdout)


@test(smoke=True)
def nginx_keep_alive_and_close(haven):
    serve(haven, "-p", "18080:80")
    for option in ("--keep-alive", "--close"):
        counts = load(10000, 200, option)
        expect_equal((counts["good"], counts["bad"]), (10000, 0), f"requests with {option}")


@test(identities=("user",), smoke=True)
def source_address_is_kept(haven):
    serve(haven, "-p", "18080:80")
    for name, client in ((HOST4, OUT4), (f"[{HOST6}]", OUT6)):
        answer = outside("curl", "-s", "-w", "%{local_port}", f"http://{name}:18080/").stdout
        seen, port = answer.split("\n")
        expect_equal(seen, f"{client} {port}", "what nginx sees")
    local = haven.call("curl", "-s", "http://127.0.0.1:18080/").out
    expect_match(r"^10\.0\.2\.2 \d+\n$", local, "what nginx sees from the host's loopback")


@test(identities=("user",))
def one_address_only(haven):
    haven.start_publishing(18081, "-p", "127.0.0.1:18081:7", "--", "python3",
                           f"{SUPPORT}/peers.py")
    refused = outside("curl", "-s", "-m", "5", f"http://{HOST4}:18081/")
    expect_equal(refused.returncode, 7, "from outside: refused")
    command(*inside(HOST, "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/18081"))


@test(identities=("user",))
def ranges_tcp_and_udp(haven):
    haven.start_publishing(19080, "-p", "19080-19084:80-84", "-p", "19007:7/udp",
                           "-p", "19184:84/udp", "--", "python3", f"{SUPPORT}/peers.py")
    eventually(lambda: outside("curl", "-s", "-m", "2", "-o", "/dev/null",
                               f"http://{HOST4}:19080/bytes/10").returncode == 0, "it serves")
    told = outside("python3", f"{SUPPORT}/ask.py", "tcp", HOST4, "19084").stdout
    expect_match(rf"^{OUT4} \d+\n$", told, "the last port of the range")
    told = outside("python3", f"{SUPPORT}/ask.py", "udp", HOST4, "19184").stdout
    expect_match(rf"^{OUT4} \d+\n$", told, "a UDP port keeps the source")
    told = outside("python3", f"{SUPPORT}/ask.py", "udp", HOST6, "19184").stdout
    expect_match(rf"^{OUT6} \d+\n$", told, "and over IPv6")
    for size in (1, 1400, 9000, 65507):
        echoed = outside("python3", f"{SUPPORT}/ask.py", "udp-echo", HOST4, "19007", str(size))
        expect_equal(echoed.stdout, f"{size}\n", f"UDP echo of {size} bytes")


@test(identities=("user",))
def automatic_publication(haven):
    haven.start("-p", "auto", "--", "python3", f"{SUPPORT}/listen_late.py", "20123", "20124",
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_listening(HOST, 20123, 20124)
    told = outside("python3", f"{SUPPORT}/ask.py", "tcp", HOST4, "20124").stdout
    expect_match(rf"^{OUT4} \d+\n$", told, "the second port that opened")


@test(identities=("user",))
def nothing_listens_inside(haven):
    haven.start_publishing(18085, "-p", "18085:9999", "--", "sleep", "60")
    answer = outside("curl", "-s", "-m", "10", f"http://{HOST4}:18085/")
    expect(answer.returncode in (7, 52, 56), f"closed, not silent: curl says {answer.returncode}")


@test(identities=("user",))
def port_in_use_names_port_and_holder(haven):
    holder = socket_holder(haven, 18086)
    result = haven.run("-p", "18086:80", "--", "true")
    expect_equal(result.status, 125, "exit status")
    expect_in("18086", result.err, "the message names the port")
    expect_in("python3", result.err, "and who holds it")
    expect_in(str(holder.pid), result.err, "by its process id")


def socket_holder(haven, port):
    process = subprocess.Popen(haven.words("python3", f"{SUPPORT}/listen_late.py", str(port)),
                               stdout=subprocess.DEVNULL)
    haven.processes.append(process)
    wait_listening(HOST, port)
    return process


@test(identities=("user",), links=("veth",))
def privileged_port_says_how(haven):
    result = haven.run("-p", "81:80", "--", "true")
    expect_equal(result.status, 125, "exit status")
    expect_in("net.ipv4.ip_unprivileged_port_start", result.err, "the way out")


@test(identities=("root",), links=("veth",))
def privileged_port_as_root(haven):
    haven.start_publishing(81, "-p", "81:84", "--", "python3", f"{SUPPORT}/peers.py")
    eventually(lambda: outside("python3", f"{SUPPORT}/ask.py", "tcp", HOST4, "81").stdout, "served")
