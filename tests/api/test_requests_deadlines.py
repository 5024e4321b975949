"""The vectors of the law's deadlines, asked of the API: a request is made, moved, and its dates compared."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from service.kernel import TenantId
from tests.conftest import FakeClock

VECTORS: Final = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "policy" / "deadlines" / "shared.jsonl").read_text().splitlines()
]
ZONES: Final = {"Europe/Paris": "FR", "Europe/Dublin": "IE", "Europe/Berlin": "DE"}
PLACES: Final = {"UK_GDPR": "GB-ENG", "UK_COMPLAINT": "GB-ENG", "PIPEDA": "CA", "QC_LAW25": "CA-QC"}
PLACES_OF_OTHERS: Final = {"LGPD": "BR", "FADP_CH": "CH", "DPDP_IN": "IN"}
RIGHTS: Final = {
    "know": "access",
    "know_unverifiable": "access",
    "delete": "erasure",
    "correct": "rectification",
    "opt_out_sale": "opt_out_of_sale",
    "gpc_signal": "opt_out_of_sale",
    "limit": "limit_sensitive_use",
    "adm_opt_out": "opt_out_of_automated_decisions",
    "consent_revocation": "withdraw_consents",
    "direct_marketing_objection_effect": "withdraw_consents",
    "grievance": "complaint",
    "request_record": "access",
}
"""How the right is called where the vectors name the request otherwise."""
LAWS: Final = {
    "UK_COMPLAINT": "UK_GDPR",
    "CCPA_OPTOUT": "CCPA",
    "CCPA_LIMIT": "CCPA",
    "CCPA_ADMT": "CCPA",
    "CCPA_REASK": "CCPA",
    "CCPA_RECORDS": "CCPA",
}
NO_REQUESTS: Final = {
    ("CAN_SPAM", "unsubscribe"): "a record: `POST /v1/records`",
    ("CASL", "unsubscribe"): "a record",
    ("MAILBOX_PROVIDER", "one_click_unsubscribe"): "a record",
    ("TCPA", "revocation"): "a record",
    ("TCPA", "dnc_request"): "a record",
    ("FR_PHONE", "refusal_in_call"): "a record",
    ("CCPA_METRICS", "annual_metrics"): "no request, but a duty of the year",
    ("DELETE_ACT", "drop_list_first_access"): "a duty of brokers",
    ("DELETE_ACT", "drop_list_access"): "a duty of brokers",
    ("GDPR", "refusal_notice"): "the same month as that of the request that is refused",
}
GROUNDS: Final = {
    "GDPR": "complex",
    "UK_GDPR": "complex",
    "PIPEDA": "consultations",
}
MOVES_OF: Final = {
    "identity_requested": ("ask-identity", None),
    "identity_received": ("verify", "three_data_points_and_declaration"),
    "clarification_requested": ("clarify", None),
    "clarification_received": ("clarified", None),
}
ASKED: Final = [vector for vector in VECTORS if (vector["law"], vector["request"]) not in NO_REQUESTS]


def test_of_sixty_vectors_all_are_asked_but_those_that_are_no_requests():
    assert (len(VECTORS), len(ASKED)) == (60, 48)


async def dates_of(vector: dict[str, Any], client: httpx.AsyncClient, clock: FakeClock) -> dict[str, Any]:
    """Return the dates that the API gives for the request of a vector, after what happened to it."""
    law, request = vector["law"], vector["request"]
    body = {
        "id": str(uuid4()),
        "subject": f"s-{vector['id']}",
        "right": RIGHTS.get(request, request),
        "law": LAWS.get(law, law),
        "received_at": vector["received_at"],
        "place": ZONES.get(vector["time_zone"]) or PLACES.get(law) or PLACES_OF_OTHERS.get(law, "US"),
        "time_zone": vector["time_zone"],
        "via": "signal" if request == "gpc_signal" else "email",
    }
    opened = await client.post("/v1/requests", json=body)
    assert opened.status_code == 201, (vector["id"], opened.text)
    seen = opened.json()
    moves = [(event["at"], *MOVES_OF[event["type"]]) for event in vector.get("events", [])]
    if vector["extended"]:
        moves.append((vector["received_at"], "extend", GROUNDS.get(law, "reasonably_necessary")))
    for at, name, reason in moves:
        clock.now = datetime.fromisoformat(at)
        sent = {"version": seen["version"]} | ({"reason": reason} if reason else {})
        answer = await client.post(f"/v1/requests/{body['id']}/{name}", json=sent)
        assert answer.status_code == 200, (vector["id"], answer.text)
        seen = answer.json()
    dates: dict[str, Any] = seen["dates"]
    return dates


async def test_a_request_has_the_dates_of_its_vector(
    client_of: Callable[..., httpx.AsyncClient], tenant: TenantId, clock: FakeClock
):
    wrong = {}
    for vector in ASKED:
        clock.now = datetime.fromisoformat(vector["received_at"])
        dates = await dates_of(vector, client_of(tenant=tenant), clock)
        expected = {name: day for name, day in vector["expect"].items() if name != "suspended"}
        found = {name: dates.get(name) for name in expected}
        if found != expected:
            wrong[vector["id"]] = (expected, found)

    assert wrong == {}
