"""Somebody in Egypt asks what is kept about them, and gets it in Arabic: over HTTP, from receipt to answer."""

import base64
import io
import random
import socket
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from service import kernel
from service.postgres import EmbeddedPostgres
from tests.journeys.processes import environment, running, volens

EMAIL = "anna@mail.example"
DOCUMENTS = 6
"""More than lies in the buffers between two processes."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def service(data: Path) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Staff and Anna, with their tokens, of a service with its worker."""
    env = environment(data)
    volens("migrate", env=env)
    volens("tenant", "add", "acme", env=env)
    scopes = " ".join(kernel.SCOPES)
    tokens = [
        volens("token", "--tenant", "acme", *who, env=env).stdout.strip()
        for who in (("--scope", scopes), ("--scope", "self", "--subject", "anna"))
    ]
    with running("up", "--port", "0", env=env) as process:
        staff, anna = (
            httpx.Client(base_url=process.url, headers={"authorization": f"Bearer {token}"}, timeout=30)
            for token in tokens
        )
        noise = random.Random(7)
        assert staff.put("/v1/subjects/anna", json={"residence": "EG", "age": 40}).is_success
        assert staff.put("/v1/vault/anna/email", json={"value": EMAIL}).is_success
        for number in range(DOCUMENTS):
            content = base64.b64encode(noise.randbytes(700_000)).decode()
            value = {"value": {"media_type": "image/png", "content": content}}
            assert staff.put(f"/v1/vault/anna/document%23n{number}", json=value).is_success
        yield staff, anna
        staff.close()
        anna.close()


@pytest.fixture
def request_of_anna(service: tuple[httpx.Client, httpx.Client]) -> str:
    """Returns the address of a request that is carried out."""
    staff, anna = service
    asked = {"id": str(uuid4()), "subject": "anna", "right": "access", "law": "GDPR"}
    place = {"place": "DE-BE", "time_zone": "Europe/Berlin", "via": "email"}
    opened = staff.post("/v1/requests", json=asked | place)
    assert opened.status_code == 201, opened.text
    path = f"/v1/requests/{asked['id']}"
    assert staff.post(f"{path}/execute", json={"version": 1}).status_code == 409, "nobody knows who asks"
    assert anna.get(f"{path}/package/file").status_code == 404
    assert staff.post(f"{path}/verify", json={"version": 1, "reason": "two_data_points"}).is_success
    assert staff.post(f"{path}/execute", json={"version": 2}).is_success
    return path


def until(client: httpx.Client, path: str, state: str) -> dict[str, object]:
    for _ in range(300):
        found: dict[str, object] = client.get(path).json()
        if found["state"] == state:
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_access_in_arabic_from_receipt_to_answer(service: tuple[httpx.Client, httpx.Client], request_of_anna: str):
    staff, anna = service
    ready = until(anna, f"{request_of_anna}/package", "ready")
    first = anna.get(f"{request_of_anna}/package/file")
    again = anna.get(f"{request_of_anna}/package/file")

    pack = zipfile.ZipFile(io.BytesIO(first.content))
    page = pack.read("index.html").decode()
    assert (ready["language"], len(first.content)) == ("ar", ready["bytes"])
    assert '<html lang="ar" dir="rtl">' in page
    assert "ما هو محفوظ عنك" in page
    assert EMAIL in page
    assert len([name for name in pack.namelist() if name.startswith("documents/")]) == DOCUMENTS
    assert again.status_code == 410
    assert again.json()["type"].endswith("/package_gone")
    answered = until(staff, request_of_anna, "answered")
    assert answered["history"][-1]["move"] == "complete"  # type: ignore[index]


def test_one_that_broke_off_is_had_again_and_then_no_more(
    service: tuple[httpx.Client, httpx.Client], request_of_anna: str
):
    staff, anna = service
    until(anna, f"{request_of_anna}/package", "ready")
    break_off(anna, f"{request_of_anna}/package/file")

    for _ in range(100):  # until the service knows
        whole = anna.get(f"{request_of_anna}/package/file")
        if whole.status_code != 409:
            break
        time.sleep(0.1)
    assert EMAIL.encode() in zipfile.ZipFile(io.BytesIO(whole.content)).read("package.json")
    assert anna.get(f"{request_of_anna}/package/file").status_code == 410
    assert until(staff, request_of_anna, "answered")


def break_off(client: httpx.Client, path: str) -> None:
    """Read the beginning of an answer and hang up."""
    url = urlsplit(str(client.base_url))
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.connect((url.hostname, url.port))
        head = f"GET {path} HTTP/1.1\r\nHost: volens\r\nAuthorization: {client.headers['authorization']}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4_096).startswith(b"HTTP/1.1 200")


def test_one_that_nobody_fetches_is_removed(
    service: tuple[httpx.Client, httpx.Client], request_of_anna: str, data: Path
):
    _, anna = service
    until(anna, f"{request_of_anna}/package", "ready")
    urls = EmbeddedPostgres.running(data)
    assert urls is not None
    assert list((data / "packages").rglob("*.*"))
    with psycopg.connect(urls.app) as database:  # three days later
        database.execute("SELECT set_config('volens.tenant', 'acme', false)")
        database.execute(
            "UPDATE parcel SET expires_at = now() WHERE request = %s", (request_of_anna.rpartition("/")[2],)
        )

    assert anna.get(f"{request_of_anna}/package/file").status_code == 410
    for _ in range(100):
        if not list((data / "packages").rglob("*.*")):
            break
        time.sleep(0.1)
    assert not list((data / "packages").rglob("*.*"))
    assert until(anna, f"{request_of_anna}/package", "expired")
