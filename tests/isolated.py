"""How each operation of the document is asked by the tests that tell tenants and people apart: none is forgotten."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from msgspec import Struct

from tests import bulked, connected, doors, listed, parcelled, permitted
from tests.asked import request_bodies, request_names

DOCUMENT = json.loads((Path(__file__).parents[1] / "openapi" / "openapi.json").read_text())
RECORD = str(UUID(int=1))
NOBODYS = str(UUID(int=2))
Clients = Callable[..., httpx.AsyncClient]


class Operation(Struct, frozen=True):
    """An operation as the document has it."""

    id: str
    method: str
    path: str
    scopes: tuple[str, ...]
    own: bool


def operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method, said in methods.items():
            ways = said.get("security", [])
            scopes = tuple(scope for way in ways for scope in way.get("bearer", []) if scope != "self")
            yield Operation(
                said["operationId"], method.upper(), path, scopes, any(["self"] in way.values() for way in ways)
            )


OPERATIONS = {operation.id: operation for operation in operations()}
GUARDED = [operation for operation in OPERATIONS.values() if operation.scopes]
PARAMETERS = {
    "readCoverage": {"residence": "DE", "channel": "email", "purpose": "marketing"},
    "proveInclusion": {"entry": NOBODYS},
    "proveConsistency": {"from": "0"},
    "readLogKeys": {"tenant": "nobody"},
    "downloadExport": {"tenant": "nobody", "key": "A" * 43},
} | connected.PARAMETERS
"""What an operation can't be asked without."""
IN_THE_TREE = {"readCheckpoint", "proveInclusion", "proveConsistency", "readTile", "readTimestamp"}
"""What a worker makes, and there is none here."""
NOT_MADE = {"approveExport", "deleteExport", "deleteFilter", "linkExport", "readExport", "readFilter"}
NOT_MADE |= connected.NOT_MADE | parcelled.NOT_MADE
NOTHING_THERE = {"deleteValue", "giveApproval", "liftHold", "mergeSubjects", "revokeToken"} | IN_THE_TREE | NOT_MADE
"""Operations on what these tests never made."""
REFUSED = {
    "readReceipt": "entry_waits",
    "readPlan": "not_an_erasure",
    "readCertificate": "not_an_erasure",
    **dict.fromkeys(("sendIdentityCode", "showIdentity"), "move_not_allowed"),
} | doors.REFUSED
PUBLIC = {"downloadExport", "getLiveness", "getReadiness", "readLogKeys"} | connected.PUBLIC | doors.PUBLIC


def bodies(mark: str, subject: str) -> dict[str, Any]:
    """Return what each operation that has a body is sent. `mark` shows whose data an answer holds."""
    return (
        {
            "putSubject": {"residence": {"alpha": "DE", "beta": "FR"}[mark], "age": 40},
            "putPurpose": {"maps_to": "marketing", "title": f"Club {mark}"},
            "putNotice": {
                "texts": {"en": f"Yes, write to me, {mark}."},
                "purposes": ["x-club"],
                "channels": ["email"],
                "controllers": [mark],
                "material_change": False,
            },
            "appendRecords": {
                "records": [
                    {
                        "id": RECORD,
                        "subject": subject,
                        "ts": "2026-11-20T12:00:00Z",
                        "channel": "email",
                        "purpose": "marketing",
                        "action": "object",
                        "method": "account_setting",
                        "evidence": f"evidence {mark}",
                        "brand": mark,
                    }
                ]
            },
            "mergeSubjects": {"with": "nobody", "same": True},
            "putOverlay": {"denied": [{"channel": {"alpha": "fax", "beta": "push"}[mark]}]},
            "placeHold": {"reason": "litigation", "reference": mark},
            "startTrial": {
                "overlay": {"denied": [{"channel": {"alpha": "fax", "beta": "push"}[mark]}]},
                "over": {"subjects": {"channel": "post", "purpose": "marketing"}},
            },
            "decide": {"subject": subject, "channel": "email", "purpose": "marketing"},
            "decideBatch": [{"channel": "email", "purpose": "marketing"}, {"subject": subject}],
            "reveal": {
                "subject": subject,
                "fields": ["email"],
                "purpose": "service",
                "channel": "email",
                "context": {"content": "service"},
            },
            "revealBatch": [
                {"fields": ["email"], "purpose": "service", "channel": "email", "context": {"content": "service"}},
                {"subject": subject},
            ],
            "issueToken": {"subject": subject, "field": "email", "purpose": "service", "recipient": "mailer"},
            "revokeToken": {"token": "vtk_" + "A" * 43},
            "requestApproval": {"purpose": "legal_claim", "fields": ["email"], "subjects": 1, "reference": mark},
            "putField": {"type": "text", "sensitivity": "personal", "purposes": [f"x-{mark}"]},
            "putValue": {"value": f"{mark}@mail.example"},
            "importValues": [{"subject": subject, "field": "phone", "value": "+49 30 1234567"}],
            "lookUp": {"field": "phone", "value": "+49 30 1234567"},
            **request_bodies(mark, subject),
            "simulateDecision": {"jurisdiction": "DE", "channel": "email", "purpose": "marketing"},
            "requestExport": {
                "format": "ndjson",
                "purpose": "internal_audit",
                "reference": mark,
                "wanted": {"actors": [mark]},
                "four_eyes": True,
            },
            "countEntries": {"wanted": {"actors": [mark]}},
            "putFilter": {"actors": [mark]},
        }
        | bulked.bodies(mark, subject)
        | connected.bodies(mark)
        | parcelled.BODIES
        | permitted.BODIES
        | listed.BODIES
        | doors.bodies()
    )


async def do(
    client: httpx.AsyncClient,
    operation: str,
    *,
    mark: str = "alpha",
    subject: str = "anna",
    decision: str = NOBODYS,
    trial: str = NOBODYS,
) -> httpx.Response:
    """Call an operation about `subject`, or the objects that both tenants call alike."""
    called = OPERATIONS[operation]
    names = {"notice": "news", "version": "v1", "purpose": "x-club", "rule": "DE-UWG-01", "approval": NOBODYS}
    names |= {"field": "email", "name": "shoe_size", "level": "0", "number": "000", "record": RECORD} | connected.NAMES
    names |= doors.NAMES | {"export": NOBODYS, "saved": "mine", "move": "withdraw"} | request_names(subject)
    path = called.path.format(subject=subject, decision=decision, trial=trial, **names)
    body = bodies(mark, subject).get(operation)
    sent = sent_as(body) if isinstance(body, list) else {"json": body}
    return await client.request(called.method, path, params=PARAMETERS.get(operation), **sent)


def sent_as(lines: list[Any]) -> dict[str, Any]:
    """Return what a stream of lines is sent as."""
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return {"content": content, "headers": {"content-type": "application/x-ndjson"}}


def reached(operation: str, answer: httpx.Response) -> bool:
    """Return whether an operation let its caller in."""
    if answer.status_code == 409:
        return answer.json()["type"].rpartition("/")[2] == REFUSED.get(operation)
    return answer.status_code in {200, 201, 202, 204} or (operation in NOTHING_THERE and answer.status_code == 404)


async def fill(client: httpx.AsyncClient, mark: str) -> str:
    """Store one of everything, under the same ids for every tenant; return the id of a decision."""
    for operation in ["putSubject", "putPurpose", "putNotice", "appendRecords", "putField", "putValue", "openRequest"]:
        answer = await do(client, operation, mark=mark)
        assert answer.status_code == 201, answer.text
    assert (await do(client, "putOverlay", mark=mark)).status_code == 200
    decided = await do(client, "decide", mark=mark)
    assert decided.status_code == 200, decided.text
    return str(decided.json()["id"])


async def a_trial(client: httpx.AsyncClient, mark: str = "alpha") -> str:
    return str((await do(client, "startTrial", mark=mark)).json()["id"])
