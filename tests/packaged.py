"""Packages for tests: of a made-up person, in memory."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from service.downstreams import TaskState
from service.kernel import SubjectId, TenantId
from service.packages.domain import (
    AccessPackage,
    ConnectedTold,
    Contact,
    DecisionTold,
    FactsTold,
    Head,
    Language,
    LeftOut,
    MoveTold,
    NoticeTold,
    Origin,
    ReasonTold,
    RecipientTold,
    RecordTold,
    RequestTold,
    RetentionTold,
    RevealTold,
    Role,
    RuleTold,
    SourceTold,
    StandTold,
    SystemTold,
    Until,
    ValueTold,
)
from service.subjects import Flags, Signals, SubjectFacts

MADE_AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
THEN = MADE_AT - timedelta(days=30)


def a_value(value: Any = "anna@mail.example", **changes: Any) -> ValueTold:
    told = {
        "name": "email", "field": "email", "version": 1, "at": THEN, "until": None, "deleted": False, "opened": True,
        "value": value, "written_by": "shop-backend", **changes,
    }  # fmt: skip
    return ValueTold(**told)


def a_record_told(number: int = 1, **said: Any) -> RecordTold:
    statement = {
        "ts": "2026-10-24T09:30:00Z", "channel": "email", "action": "opt_in", "purpose": "marketing",
        "method": "web_form", "notice_version": "v3", **said,
    }  # fmt: skip
    return RecordTold(
        id=UUID(int=number), received_at=THEN, former=False, said=statement, notice="newsletter", left_out=()
    )


def a_decision_told(number: int = 1, **changes: Any) -> DecisionTold:
    told = {
        "id": UUID(int=number), "decided_at": THEN, "at": THEN, "asked_by": "mailer", "channel": "email",
        "purpose": "marketing", "permit": True, "basis": "consent", "records": (UUID(int=1),), "policy": "sha256:00",
        "reasons": (ReasonTold(rule="EU-EPD-01", effect="permit"),), **changes,
    }  # fmt: skip
    return DecisionTold(**told)


def a_head(**changes: Any) -> Head:
    told = {
        "made_at": MADE_AT,
        "language": Language.EN,
        "tenant": TenantId("example-shop"),
        "subject": SubjectId("anna"),
        "other_ids": (SubjectId("anna-2"),),
        "contact": Contact(controller="Example Shop"),
        "automated": None,
        "transfers": (),
        "categories": ("document", "email", "name", "phone", "postal_address", "facts", "records"),
        "values": (
            a_value(),
            a_value("Anna Ash", name="name#legal", field="name"),
            a_value({"lines": ["Ash Lane 1"], "postcode": "10115", "locality": "Berlin", "country": "DE"},
                    name="postal_address", field="postal_address"),
            a_value({"media_type": "text/plain", "content": b"a letter"}, name="document", field="document"),
            a_value(None, name="phone", field="phone", opened=False),
        ),
        "facts": (
            FactsTold(
                version=1, at=THEN, former=False,
                facts=SubjectFacts(residence="DE", is_customer=True, signals=Signals(gpc=True)),
            ),
        ),
        "flags": Flags(objected=True),
        "state": (
            StandTold(action="opt_in", channel="email", purpose="marketing", at=THEN, expires_at=None,
                      notice_version="v3", record=UUID(int=1)),
        ),
        "requests": (
            RequestTold(id=UUID(int=5), received_at=THEN, right="access", law="GDPR", via="portal", state="executing",
                        due_on=date(2026, 11, 24),
                        moves=(MoveTold(move="receive", at=THEN, by="self", reason=None),)),
        ),
        "notices": (
            NoticeTold(notice="newsletter", version="v3", sha256="ab" * 32, stored_at=THEN,
                       texts={"de": "Wir schreiben Ihnen.", "ar": "سنكتب إليك."}, purposes=("marketing",),
                       channels=("email",), controllers=("Example Shop",), material_change=False),
        ),
        "recipients": (
            RecipientTold(who="mailer", name=None, role=Role.ASKER, times=1, first=THEN, last=THEN,
                          purposes=("marketing",), fields=()),
        ),
        "sources": (SourceTold(origin=Origin.VALUES, who="shop-backend", times=4),),
        "retention": (
            RetentionTold(what="values", until=Until.ERASURE),
            RetentionTold(what="email", until=Until.REPLACED, days=30),
            RetentionTold(what="Invoices: ten years", until=Until.DECLARED),
        ),
        "rules": (RuleTold(rule="EU-EPD-01", title="Prior consent", citation="ePrivacy Dir. Art. 13(1)", times=1),),
        "left_out": (LeftOut(what="subject_ref", times=1),),
        "systems": (
            SystemTold(system="crm", outcome=TaskState.CONFIRMED, ground=None, at=THEN),
            SystemTold(system="ledger", outcome=TaskState.REFUSED, ground="own_controller", at=THEN),
        ),
        "connected": (
            ConnectedTold(system="crm", name="notes.txt", media_type="text/plain", size=7,
                          file="connected/crm/0001-notes.txt", not_told=None),
        ),
        **changes,
    }  # fmt: skip
    return Head(**told)


def a_package(*, records: Any = None, decisions: Any = None, reveals: Any = None, **head: Any) -> AccessPackage:
    reveal = RevealTold(
        id=UUID(int=9), at=THEN, by="call-centre", purpose="support", channel=None, fields={"email": 1},
        masked={"phone": 1}, decision=UUID(int=1),
    )  # fmt: skip
    return AccessPackage(
        head=a_head(**head),
        records=[a_record_told()] if records is None else records,
        decisions=[a_decision_told()] if decisions is None else decisions,
        reveals=[reveal] if reveals is None else reveals,
    )
