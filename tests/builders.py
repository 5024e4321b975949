"""Values for tests. Say only what the test is about; the rest is plausible."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from msgspec import UNSET, convert
from msgspec.structs import replace

from service.consent import AppendRecords, Record, Statement, StoreRecords, Submission, Vocabulary
from service.grouped import Grouped
from service.kernel import Handle, SubjectId
from service.subjects import Gazetteer, Subject, SubjectFacts

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)

VOCABULARY = Vocabulary.of(
    {
        "refusals": [
            "opt_out", "declined_opt_in", "object", "complaint", "refused_in_call", "opt_out_sale", "limit", "gpc",
            "drop_listed", "drop_unverified", "adm_opt_out", "dnc_listed", "fip_withdrawal_not_affirmed",
        ],
        "permissions": ["opt_in", "opt_in_pending", "opt_in_sale", "parental_consent", "consent_during_restriction"],
        "relations": ["purchase", "inquiry", "support_given", "free_account", "basket_abandoned", "collected"],
        "attempts": ["call_attempt"],
        "state": ["restrict", "unrestrict", "erase_request", "erased"],
        "bounds": {"permissions": 12, "refusals": 24, "attempts": 10},
    },
    {
        "classes": {"web_form": "act", "checkout": "act", "pre_ticked_box": "none", "unsubscribe_link": "withdrawal"},
        "prefixes": {"keyword_": "keyword"},
    },
    json.loads((Path(__file__).parents[1] / "policies/data/keeping.json").read_text()),
)  # fmt: skip
"""Like the policy's, but shorter. Tests of the real one read `policies/build/data.json`."""

GAZETTEER = Gazetteer(
    places=frozenset({"DE", "FR", "GB", "US", "US-CA", "US-VA", "CA-QC", "ZZ"}),
    zones=frozenset({"Europe/Berlin", "America/Los_Angeles", "UTC"}),
)


def a_vocabulary(**bounds: int) -> Vocabulary:
    return replace(VOCABULARY, **bounds)


def a_statement(**changes: Any) -> Statement:
    """Return a statement. Changes are words of the wire or values; ``UNSET`` leaves a member out."""
    said = {
        "ts": NOON,
        "channel": "email",
        "purpose": "marketing",
        "action": "opt_in",
        "method": "web_form",
        "evidence": "form+ip+wording",
        "notice_version": "v3",
        **changes,
    }
    return convert({name: value for name, value in said.items() if value is not UNSET}, Statement)


def a_record(**changes: Any) -> Record:
    """Return a record that arrived when it happened, unless the changes say otherwise."""
    own = {name: changes.pop(name) for name in ("id", "subject", "received_at") if name in changes}
    statement = a_statement(**changes)
    return Record(
        **{"id": uuid4(), "subject": SubjectId("s-1"), "received_at": statement.happened_at, **own},
        **{name: getattr(statement, name) for name in Statement.__struct_fields__},
    )


def a_submission(subject: str = "s-1", *, record_id: UUID | None = None, **changes: Any) -> Submission:
    return Submission(id=record_id or uuid4(), subject=SubjectId(subject), statement=a_statement(**changes))


def appending(begin: Any, clock: Any, vocabulary: Vocabulary = VOCABULARY) -> AppendRecords:
    """Return what appends records in the transactions that `begin` opens, as the service does."""
    return AppendRecords(Grouped(StoreRecords(begin, clock, vocabulary)))


def a_record_body(**changes: Any) -> dict[str, Any]:
    """Return one record as a client sends it. A change to ``...`` leaves the member out."""
    body = {
        "id": str(uuid4()),
        "subject": "s-1",
        "ts": "2026-11-20T12:00:00Z",
        "channel": "email",
        "purpose": "marketing",
        "action": "opt_in",
        "method": "web_form",
        "evidence": "form+ip+wording",
        "notice_version": "v3",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not ...}


def some_facts(**changes: Any) -> SubjectFacts:
    known: dict[str, Any] = {"residence": "DE", "time_zone": "Europe/Berlin", "is_customer": True, "b2b": False}
    return SubjectFacts(**{**known, **changes})


def a_subject(**changes: Any) -> Subject:
    return Subject(**{"handle": Handle(uuid4()), "version": 1, "facts": some_facts(), **changes})
