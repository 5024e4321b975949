"""What a tenant asks beyond the law: stated here, judged in `policies/volens/decision/overlay.rego`."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from service.consent import Channel, PurposeName, is_tenant_purpose
from service.decisions.domain import Question
from service.kernel import exactly

Minute = Annotated[str, exactly("(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")]
"""A time of the day, `HH:MM`; `24:00` is its end."""
Weekday = Annotated[str, exactly("[1-7]")]
"""Monday is 1."""
Clocked = Literal["phone", "phone_auto", "sms"]
"""The channels on which the hour matters."""


class Denied(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A channel, a purpose, or a purpose on a channel, that is refused whatever the law says. It names one at least."""

    channel: Channel | None = None
    purpose: PurposeName | None = None


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A window that must be open besides those of the law, in the recipient's local time."""

    channels: Annotated[tuple[Clocked, ...], Meta(min_length=1, max_length=3)]
    days: Mapping[Weekday, Annotated[tuple[tuple[Minute, Minute], ...], Meta(max_length=8)]]
    """Spans from the opening minute on, until the closing one. A day that is missing is shut."""
    on_holidays: bool = False


class Attempts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The most attempts, of marketing, on the channel asked about and those that the law counts with it."""

    h24: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """Within 24 hours."""
    d30: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """Within 30 days."""


class Overlay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A tenant's own policy. It can only forbid more: it is read where the law permits."""

    denied: Annotated[tuple[Denied, ...], Meta(max_length=100)] = ()
    hours: Hours | None = None
    stale_months: Annotated[int, Meta(ge=1, le=1200)] | None = None
    """Consents, and customer relations, older than this without interest since are refused."""
    double_opt_in: bool | None = None
    """Every consent to e-mail needs a second step, wherever the person lives."""
    refused_bases: Annotated[
        tuple[Literal["soft_opt_in", "legitimate_interest"], ...], Meta(max_length=2, description="Bases not relied on")
    ] = ()
    attempts: Attempts | None = None
    early: Annotated[tuple[Annotated[str, exactly("[A-Z][A-Z0-9-]{1,40}")], ...], Meta(max_length=50)] = ()
    """Rules that are followed before they begin."""


NO_OVERLAY: Final = Overlay()


class InForce(Struct, frozen=True, kw_only=True):
    """What governs a tenant's decisions now."""

    revision: str | None
    """The active policy revision; nothing when the one that this version ships was never replaced."""
    version: int
    """Of the overlay; 0 when there never was one."""
    overlay: Overlay


SHIPPED: Final = InForce(revision=None, version=0, overlay=NO_OVERLAY)


def overlay_facts(overlay: Overlay, question: Question | None) -> dict[str, Any]:
    """Return the overlay as the policy reads it: minutes as numbers, purposes as they bear on the question."""
    if overlay == NO_OVERLAY:
        return {}
    facts: dict[str, Any] = {
        name: value
        for name, value in msgspec.to_builtins(overlay).items()
        if name in {"stale_months", "double_opt_in", "attempts"} and value != {}
    }
    if denied := _distinct(_denied(each, question) for each in overlay.denied):
        facts["denied"] = denied
    if overlay.hours is not None:
        facts["hours"] = {
            "channels": sorted(set(overlay.hours.channels)),
            "days": {
                day: [[minute_of(start), minute_of(end)] for start, end in spans]
                for day, spans in overlay.hours.days.items()
            },
            "on_holidays": overlay.hours.on_holidays,
        }
    for name in ("refused_bases", "early"):
        if values := sorted(set(getattr(overlay, name))):
            facts[name] = values
    return facts


def edges(overlay: Overlay) -> frozenset[int]:
    """Return the minutes of the day at which the overlay's hours open or close."""
    if overlay.hours is None:
        return frozenset()
    return frozenset(
        minute_of(minute) % (24 * 60) for spans in overlay.hours.days.values() for span in spans for minute in span
    )


def minute_of(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _denied(denied: Denied, question: Question | None) -> dict[str, str] | None:
    """Names of the tenant's purposes never enter the facts: one that is asked about is what it maps onto."""
    purpose = denied.purpose
    if question is not None and purpose is not None and is_tenant_purpose(purpose):
        if purpose != question.purpose:
            return None
        purpose = question.meaning
    named = {"channel": denied.channel, "purpose": purpose}
    return {name: value for name, value in named.items() if value is not None}


def _distinct(found: Any) -> list[dict[str, str]]:
    return [dict(each) for each in sorted({tuple(sorted(each.items())) for each in found if each is not None})]
