"""A certificate authority of the test, and certificates of it, made with openssl at run time."""

import os
import subprocess

from .network import HOST4, HOST6, OUT4, OUT6


class Authority:
    """`ca` is what clients trust; certificate and key are good for every address of the network."""

    def __init__(self, directory):
        os.makedirs(directory)
        os.chmod(directory, 0o755)
        self.ca = f"{directory}/ca.pem"
        self.certificate = f"{directory}/server.pem"
        self.key = f"{directory}/server.key"
        ca_key, request = f"{directory}/ca.key", f"{directory}/server.csr"
        names = f"{directory}/names"
        with open(names, "w", encoding="ascii") as file:
            addresses = ",".join(f"IP:{address}" for address in (HOST4, HOST6, OUT4, OUT6))
            file.write(f"subjectAltName=DNS:service.test,{addresses}\n"
                       "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *new_key, "-keyout", ca_key, "-out", self.ca, "-days", "2",
                "-subj", "/CN=haven test authority")
        openssl("req", *new_key, "-keyout", self.key, "-out", request, "-subj", "/CN=service.test")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key, "-CAcreateserial",
                "-out", self.certificate, "-days", "2", "-extfile", names)
        os.unlink(ca_key)
        os.chmod(self.key, 0o644)


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, timeout=30, capture_output=True)
