"""Acts as the policy sees them: what a record says, compared with the question, free of names."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.consent import Act, Signature, is_tenant_purpose
from service.decisions.bands import Ladder, law_day, months_past, months_waited
from service.decisions.clocks import Zones, later_by, local_day
from service.decisions.domain import Question
from service.decisions.policy import PolicyData
from service.kernel import SubjectId

_AS_GIVEN: Final = frozenset(
    {
        "channel",
        "several",
        "incentive",
        "method",
        "evidence",
        "explicit",
        "two_step",
        "unbundled",
        "dark_pattern",
        "logged_in",
        "informed_subject",
        "optout_offered_at_collection",
        "indirect_remuneration",
        "ongoing_contract",
        "fin_notice",
        "no_solicitation_statement",
        "consumer_initiated",
        "after_conflict_notice",
    }
)
_TERMS: Final = frozenset({"scope", "ground", "in_reply_to"})
WINDOWS: Final = {
    # Both French periods run to the instant (RULES D9), which is outside.
    "days60": timedelta(days=60),
    # Only *later* than five minutes must be justified (US-TCPA-05), so the instant is inside.
    "minutes5": timedelta(minutes=5, microseconds=1),
}
_INFERRED: Final = "_inferred"


class Asked(Struct, frozen=True, kw_only=True):
    """What acts are compared with."""

    question: Question
    subject: SubjectId | None
    """Nothing in a simulation, where every named person is somebody else."""
    zones: Zones
    age: Ladder | None
    reassigned_after: date | None
    months: Mapping[str, tuple[int, ...]]
    """The edges that months are told by since an action, for those that are measured."""


class Item(Struct, frozen=True, kw_only=True):
    """One act in a template: what is fixed about it, and what moves with time."""

    id: UUID
    at: datetime
    rank: int
    expires_at: datetime | None
    fixed: Mapping[str, Any]
    past: Ladder | None
    waited: Ladder | None
    windows: tuple[tuple[str, datetime], ...]
    """Spans that are true from the act until, exclusively, an instant."""
    hours: tuple[int, int] | None


class Ranked(Struct, frozen=True):
    items: tuple[Item, ...]
    ranks: Mapping[str, int]
    """Of the named instants."""


def items(acts: Iterable[Act], asked: Asked, data: PolicyData, named: Mapping[str, datetime]) -> Ranked:
    """Return the acts that bear on the question, ranked by time together with the `named` instants."""
    bearing = [(act, purpose) for act in acts if (purpose := _purpose(act.signature, asked, data)) is not _SILENT]
    order = {
        instant: place for place, instant in enumerate(sorted({*(act.at for act, _ in bearing), *named.values()}), 1)
    }
    return Ranked(
        tuple(_item(act, purpose, order[act.at], asked, data) for act, purpose in bearing),
        {name: order[instant] for name, instant in named.items()},
    )


_SILENT: Final = ""


def _purpose(signature: Signature, asked: Asked, data: PolicyData) -> str | None:
    """Return the act's purpose as the question sees it; `_SILENT` for an act that says nothing here.

    A tenant's purpose is another than the known one it maps onto: a permission for
    either is none for the other.
    """
    question, purpose = asked.question, signature.purpose
    if purpose is None:
        return None
    if is_tenant_purpose(purpose):
        if purpose == question.purpose:
            return question.meaning.value
        return _SILENT if signature.action in data.actions["refusals"] else "tenant"
    narrower = is_tenant_purpose(question.purpose) and purpose == question.meaning
    return "tenant" if narrower and signature.action in data.actions["permissions"] else purpose


def _item(act: Act, purpose: str | None, rank: int, asked: Asked, data: PolicyData) -> Item:
    signature, bands = act.signature, data.bands
    action = signature.action.value
    day = local_day(act.at, asked.zones.of_dates)
    fixed = _said(signature, asked, data)
    fixed["action"] = action
    fixed["rank"] = rank
    if purpose is not None:
        fixed["purpose"] = purpose
    if act.expires_at is not None:
        fixed["expires"] = True
    if asked.age is not None and action in bands.spans["age"]:
        fixed["age"] = asked.age.on(local_day(act.at, asked.zones.of_waits))[0]
    if action in bands.spans["law_day"]:
        fixed["law_day"] = law_day(local_day(act.at, asked.zones.of_waits), bands.in_force)
    if asked.reassigned_after is not None and day > asked.reassigned_after:
        fixed["after_reassignment"] = True
    return Item(
        id=act.id,
        at=act.at,
        rank=rank,
        expires_at=act.expires_at,
        fixed=fixed,
        past=months_past(day, edges) if (edges := asked.months.get(action)) is not None else None,
        waited=months_waited(local_day(act.at, asked.zones.of_beginnings), bands.waits)
        if action in bands.spans["months_waited"]
        else None,
        windows=tuple(
            (span, later_by(act.at, length)) for span, length in WINDOWS.items() if action in bands.spans[span]
        ),
        hours=_hours(signature.hours_consent),
    )


def _said(signature: Signature, asked: Asked, data: PolicyData) -> dict[str, Any]:
    """Return what an act says, as it stands or as it compares with the question.

    Written as JSON, a signature leaves out what it doesn't say, which is nearly everything.
    """
    said: dict[str, Any] = {}
    for name, value in msgspec.to_builtins(signature).items():
        if name in _AS_GIVEN:
            said[name] = value
        elif name in _TERMS:
            said[name] = value if value in data.terms.get(name, ()) else "other"
        elif name in _COMPARED:
            comparison, compare = _COMPARED[name]
            if (compared := compare(value, asked)) is not None:
                said[comparison] = compared
    if notice := _notice(signature, asked):
        said["notice"] = notice
    return said


def _notice(signature: Signature, asked: Asked) -> dict[str, bool]:
    context, version = asked.question.context, signature.notice_version
    notice: dict[str, bool] = {}
    if signature.notice_shown is not None:
        notice["shown"] = signature.notice_shown
    if version is not None:
        notice["version"] = True
        if context.current_notice_version is not None:
            notice["current"] = version == context.current_notice_version
    # Without a version nobody can say that the act answers to the text of since.
    if (changed := context.material_change_since) and (version is None or version in changed):
        notice["material_change"] = True
    return notice


def _among(names: list[str], asked: str | None, hit: str) -> str:
    if not names:
        return "nobody"
    if asked is None:
        return "unasked"
    return hit if asked in names else "others"


def _same(recorded: str, asked: str | None) -> str:
    if asked is None:
        return "unasked"
    return "same" if recorded == asked else "other"


def _covers(categories: list[str], *asked: str | None) -> bool | None:
    """Whether every category in question is among those consented to, inferred ones counting as their kind."""
    wanted = {each.removesuffix(_INFERRED) for each in asked if each is not None}
    return wanted <= {each.removesuffix(_INFERRED) for each in categories} if wanted else None


_COMPARED: Final[Mapping[str, tuple[str, Callable[[Any, Asked], str | bool | None]]]] = {
    "named_controllers": ("controllers", lambda names, asked: _among(names, asked.question.context.sender, "sender")),
    "named_recipients": (
        "recipients",
        lambda names, asked: _among(names, asked.question.context.recipient, "recipient"),
    ),
    "brand": ("brand", lambda brand, asked: _same(brand, asked.question.context.brand)),
    "address": ("address", lambda address, asked: _same(address, asked.question.context.address)),
    "programme": ("programme", lambda programme, asked: _same(programme, asked.question.context.programme)),
    "seller": ("seller", lambda seller, asked: _same(seller, asked.question.context.sender)),
    "subject_ref": ("person", lambda subject, asked: None if subject == asked.subject else "other"),
    "data_categories": (
        "covers_category",
        lambda categories, asked: _covers(
            categories, asked.question.context.special_category, asked.question.context.sensitive
        ),
    ),
}
"""What enters the facts compared with the question only, by the name in the signature: its own name and how."""


def _hours(hours: str | None) -> tuple[int, int] | None:
    if hours is None:
        return None
    opening, closing = (int(time[:2]) * 60 + int(time[3:]) for time in hours.split("-"))
    return opening, closing
