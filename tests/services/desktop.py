"""Remote desktops: xrdp shows its login screen to FreeRDP, which draws into a screen of Xvfb."""

import os
import struct
import subprocess

from harness.service import Service, exchange, expect

XRDP = """
[Globals]
ini_version=1
fork=true
allow_channels=true
bitmap_cache=true
bitmap_compression=true
bulk_compression=true
crypt_level=high
use_fastpath=both
new_cursors=true
port=tcp://:3389
security_layer=tls
certificate={tls.certificate}
key_file={tls.key}
ssl_protocols=TLSv1.2, TLSv1.3
max_bpp=32
ls_top_window_bg_color=009cb5
blue=009cb5
grey=dedede
ls_width=350
ls_height=430
ls_bg_color=dedede
[Logging]
LogFile={dir}/xrdp.log
LogLevel=INFO
EnableSyslog=false
[Channels]
[Xorg]
name=Xorg
lib=libxup.so
username=ask
password=ask
ip=127.0.0.1
port=-1
code=20
"""
# X in the client's own network, at its loopback; FreeRDP trusts the one certificate.
CLIENT = """
cd {dir}
mkfifo ready
Xvfb -ac -listen tcp -nolisten unix -nolisten local -screen 0 800x600x24 \\
	-fbdir {dir} -displayfd 3 3<>ready &
read -r display <ready
echo "$display" >display
DISPLAY=127.0.0.1:$display exec xfreerdp /v:{address}:3389 /size:800x600 /sec:tls /bpp:24 \\
	/cert:deny,fingerprint:sha256:{fingerprint}
"""
LOGIN_WINDOW, BACKGROUND = 0xDEDEDE, 0x009CB5


class Rdp(Service):
    name = "ms-wbt-server"
    needs = {"xrdp": "xrdp", "xfreerdp": "freerdp2-x11", "Xvfb": "xvfb", "openssl": "openssl"}
    ports = ["3389/tcp"]

    def server(self, place):
        conf = place.write("xrdp.ini", XRDP.format(dir=place.directory, tls=place.tls))
        return ["/usr/sbin/xrdp", "--nodaemon", "--config", conf]

    @exchange("3389/tcp", "TLS, the login screen drawn by the client")
    def login_screen(self, place):
        folder = place.client_folder()
        said = subprocess.run(["openssl", "x509", "-in", place.tls.certificate, "-noout", "-sha256",
                               "-fingerprint"], capture_output=True, text=True, check=True,
                              timeout=30).stdout
        script = place.write("client.sh", CLIENT.format(
            dir=folder, address=place.address,
            fingerprint=said.strip().split("=")[1].lower()))
        client = place.start_client("sh", script)
        screen = f"{folder}/Xvfb_screen0"
        try:
            place.eventually(lambda: self.pixels(screen, LOGIN_WINDOW) > 50_000 or
                             client.poll() is not None, "the login window is drawn")
            expect(self.pixels(screen, BACKGROUND) > 100_000, "no background is drawn")
        finally:
            place.stop(client)
            remove_lock(f"{folder}/display")

    def pixels(self, path, colour):
        """How many pixels of a screen (XWD, 32 bits each) have this colour."""
        if not os.path.exists(path) or os.path.getsize(path) < 100:
            return 0
        with open(path, "rb") as file:
            data = file.read()
        header = struct.unpack_from(">25I", data)
        start = header[0] + header[19] * 12
        order = "<" if header[7] == 0 else ">"
        values = struct.unpack_from(f"{order}{header[4] * header[5]}I", data, start)
        return sum(value & 0xFFFFFF == colour for value in values)


def remove_lock(path):
    """What an X server that had to go leaves behind."""
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            lock = f"/tmp/.X{int(file.read())}-lock"
        if os.path.exists(lock):
            os.unlink(lock)
