"""What the tests of TLS share: certificates made once, haven with a guest behind TLS, clients outside."""

import json
import os
import subprocess

from support.haven import eventually
from support.runner import expect_equal
from support.topology import HOST4, OUT, OUT4, OUT6, inside

from .certificates import Authority

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = "18443"
NGINX = """
daemon off; worker_processes 1; error_log {dir}/error.log warn; pid {dir}/pid;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path {dir}/a; proxy_temp_path {dir}/b;
    fastcgi_temp_path {dir}/c; uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
    keepalive_requests 1000000;
    server {{
        listen 80 backlog=4096; listen [::]:80 backlog=4096;
        location / {{ return 200 "hello\\n"; }}
        location /who {{ return 200 "$remote_addr\\n"; }}
        location /files/ {{ alias {dir}/files/; }}
    }}
}}
"""


def authority(haven, name="tls"):
    """The same one for all tests of a run."""
    place = f"{haven.topology.directory}/{name}"
    if os.path.exists(f"{place}/ready"):
        found = Authority.__new__(Authority)
        found.place = place
        return found
    made = Authority(place, "Test authority" if name == "tls" else "Another authority")
    made.issue("a", "DNS:a.test", days=(-1, 90))
    made.issue("b", "DNS:b.test,DNS:*.b.test")
    made.issue("old", "DNS:a.test,DNS:out.test", days=(-30, -1))
    made.issue("out", f"DNS:out.test,IP:{OUT4},IP:{OUT6}")
    made.issue("client", "DNS:client.test", purpose="clientAuth")
    with open(f"{place}/ready", "w", encoding="ascii"):
        pass
    return made


def own_place(haven):
    """A directory of this test's own, which its guest may write to."""
    place = f"{haven.topology.directory}/tls-{haven.identity}-{haven.link}"
    os.makedirs(f"{place}/files", exist_ok=True)
    os.chmod(place, 0o777)
    return place


def outside(*words, seconds=60):
    return subprocess.run(inside(OUT, *words), timeout=seconds, text=True, capture_output=True,
                          check=False)


def curl(made, url, *options, name="a.test", port=PORT):
    """A request to the published port as if it were NAME's."""
    return outside("curl", "-sS", "-m", "30", "--cacert", made.file("ca"), "--resolve",
                   f"{name}:{port}:{HOST4}", *options, f"https://{name}:{port}{url}")


def call_client(made, way, *more, port=PORT, seconds=60):
    return outside("python3", f"{HERE}/client.py", made.file("ca"), HOST4, port, "a.test", way,
                   *more, seconds=seconds)


def client(made, way, *more, port=PORT, seconds=60):
    done = call_client(made, way, *more, port=port, seconds=seconds)
    expect_equal(done.returncode, 0, f"client {way}: {done.stderr}")
    return json.loads(done.stdout)


def log_of(haven):
    return f"{own_place(haven)}/haven.log"


def told(haven):
    with open(log_of(haven), encoding="utf-8", errors="replace") as file:
        return file.read()


def start(haven, *options, command, port=PORT, **more):
    """haven with a guest; what it says goes to a file (told())."""
    with open(log_of(haven), "w", encoding="utf-8") as file:
        return haven.start_publishing(port, *options, "--", *command, stderr=file, **more)


def nginx(haven):
    place = own_place(haven)
    with open(f"{place}/conf", "w", encoding="ascii") as file:
        file.write(NGINX.format(dir=place))
    return ["/usr/sbin/nginx", "-c", f"{place}/conf", "-e", f"{place}/error.log"]


def start_nginx(haven, made, *options, names=("a",), ask=()):
    """ask: what a client of it has to say besides."""
    process = start(haven, "-p", f"{PORT}:80/tls", *made.options(*names), *options,
                    command=nginx(haven))
    eventually(lambda: curl(made, "/", *ask).stdout == "hello\n", "nginx answers")
    return process


def start_server(haven, made, *options):
    """server.py behind one port each; seen() has what it noted."""
    seen_file = f"{own_place(haven)}/seen"
    with open(seen_file, "w", encoding="ascii"):
        pass
    os.chmod(seen_file, 0o666)
    process = start(haven, "-p", "9001-9004:9001-9004/tls", *made.options("a"), *options,
                    command=["python3", f"{HERE}/server.py", seen_file], port=9001)
    eventually(lambda: call_client(made, "talk", "0", port="9001").returncode == 0,
               "the server answers")
    return process


def seen(haven):
    with open(f"{own_place(haven)}/seen", encoding="ascii") as file:
        return file.read().splitlines()
