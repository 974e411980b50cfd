"""The backend server in a process of its own, over HTTP and HTTPS."""

from __future__ import annotations

import datetime
import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.rounds import ROOT


class BackendProcess:
    """A server, and what it has counted."""

    def __init__(self, pipe: subprocess.Popen[str], scheme: str, trusted: Path | None):
        self._pipe = pipe
        assert pipe.stdout
        port = int(pipe.stdout.readline())
        self.url = f"{scheme}://127.0.0.1:{port}/v1"
        #: For processes that ask it: which certificates they trust.
        self.env = {"SSL_CERT_FILE": str(trusted)} if trusted else {}

    def counted(self) -> tuple[int, int]:
        """Return how many requests came, on how many connections."""
        assert self._pipe.stdin
        assert self._pipe.stdout
        print(file=self._pipe.stdin, flush=True)
        requests, connections = self._pipe.stdout.readline().split()
        return int(requests), int(connections)


@contextmanager
def backend(folder: Path, *, over_tls: bool = False) -> Iterator[BackendProcess]:
    """A server while the context lasts."""
    files = _certificate(folder) if over_tls else ()
    command = [sys.executable, "-m", "benchmarks.backend_server", *map(str, files[:2])]
    with subprocess.Popen(  # noqa: S603 (made above)
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as pipe:
        try:
            scheme, trusted = ("https", files[-1]) if files else ("http", None)
            yield BackendProcess(pipe, scheme, trusted)
        finally:
            pipe.kill()


def _certificate(folder: Path) -> tuple[Path, Path, Path]:
    """Make a certificate; return its file, that of its key, and one of all to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    files = folder / "backend.pem", folder / "backend.key", folder / "trusted.pem"
    files[0].write_bytes(pem)
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    # With all those of the world, as a machine has them: to read them takes its time.
    files[2].write_bytes(Path(certifi.where()).read_bytes() + pem)
    return files
