"""People who come, agree, and want to be erased, as clients and officers of a running service do it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from tests.journeys.processes import Client

BERLIN = {"place": "DE-BE", "time_zone": "Europe/Berlin"}
QUESTION = {"channel": "email", "purpose": "marketing"}
SERVICE = {"purpose": "service", "channel": "email", "context": {"content": "service"}}


def eventually(there: Callable[[], Any]) -> Any:
    until = monotonic() + 60
    while not (found := there()):
        assert monotonic() < until
        sleep(0.1)
    return found


def record(subject: str, action: str, **said: Any) -> dict[str, Any]:
    ts = datetime.now(UTC) - timedelta(days=1)
    return {"id": str(uuid4()), "subject": subject, "ts": ts.isoformat(), "action": action} | QUESTION | said


def settle_in(client: Client, subject: str) -> dict[str, Any]:
    """Let somebody come, and agree; return the record."""
    assert client("PUT", f"/v1/subjects/{subject}", {"residence": "DE", "age": 40})[0] == 201
    assert client("PUT", f"/v1/vault/{subject}/email", {"value": f"{subject}@mail.example"})[0] == 201
    agreed = record(subject, "opt_in", method="double_opt_in", evidence="form", notice_version="v1")
    assert client("POST", "/v1/records", {"records": [agreed]})[0] == 201
    assert decided(client, subject) == "permit"
    return agreed


def decided(client: Client, subject: str) -> str:
    return str(client("POST", "/v1/decisions", {"subject": subject} | QUESTION)[1]["decision"])


def revealed(client: Client, subject: str) -> int:
    return client("POST", "/v1/vault/reveal", {"subject": subject, "fields": ["email"]} | SERVICE)[0]


def ask(client: Client, subject: str, right: str = "erasure") -> str:
    request = {"id": str(uuid4()), "subject": subject, "right": right, "via": "email"} | BERLIN
    assert client("POST", "/v1/requests", request)[0] == 201
    return str(request["id"])


def move(client: Client, request: str, name: str, **said: Any) -> tuple[int, Any]:
    version = client("GET", f"/v1/requests/{request}")[1]["version"]
    return client("POST", f"/v1/requests/{request}/{name}", {"version": version} | said)


def execute(client: Client, request: str) -> None:
    assert move(client, request, "verify", reason="staff_decision")[0] == 200
    assert move(client, request, "execute")[0] == 200


def certified(client: Client, request: str) -> dict[str, Any]:
    """Return the certificate of a request, once it is there."""

    def fetched() -> dict[str, Any] | None:
        status, body = client("GET", f"/v1/requests/{request}/certificate")
        return body if status == 200 else None

    found: dict[str, Any] = eventually(fetched)
    return found


def keys_of(client: Client, place: Path) -> Path:
    lines = client("GET", "/.well-known/volens/log-keys?tenant=acme")[1]["keys"]
    place.write_text("".join(f"{line['verifier_key']}\n" for line in lines))
    return place
