"""What the operations on requests are sent where they are only to be reached."""

from typing import Any
from uuid import UUID


def request_of(subject: str) -> str:
    """Return the id of the request of a subject."""
    return str(UUID(bytes=subject.encode().ljust(16, b".")))


def request_names(subject: str) -> dict[str, str]:
    return {"request_id": request_of(subject), "letter": request_of(f"letter-{subject}")}


def request_bodies(mark: str, subject: str) -> dict[str, Any]:
    return {
        "openRequest": {"id": request_of(subject), "subject": subject, "right": "objection"},
        "moveRequest": {"version": 2},
        "sendIdentityCode": {},
        "showIdentity": {"code": "00000000"},
        "writeLetter": {"id": request_names(subject)["letter"], "text": f"Hello {mark}"},
    }
