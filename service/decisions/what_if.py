"""Facts as they would be: those of the log under another overlay, those of today for a question that nobody asked."""

from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from service.consent import Channel, Purpose, State
from service.decisions.clocks import Zones
from service.decisions.context import Context
from service.decisions.domain import Question
from service.decisions.facts import Situation, fill, template
from service.decisions.measures import NOWHERE
from service.decisions.overlay import NO_OVERLAY, Overlay, overlay_facts
from service.decisions.policy import Policy
from service.kernel import SubjectId
from service.subjects import NO_FLAGS, Flags, SubjectFacts

_canonical: Final = msgspec.json.Encoder(order="sorted")


def under_overlay(facts: bytes, purpose: str, overlay: Overlay, at: datetime) -> bytes:
    """Return logged facts as `overlay` would have had them; `purpose` is the one that was asked about at `at`."""
    stated: dict[str, Any] = msgspec.json.decode(facts)
    asked = stated["question"]
    question = Question(
        channel=Channel(asked["channel"]), purpose=purpose, meaning=Purpose(asked["purpose"]), at=at, context=Context()
    )
    stated.pop("overlay", None)
    if own := overlay_facts(overlay, question):
        stated["overlay"] = own
    return _canonical.encode(stated)


def stale_months(facts: bytes) -> int | None:
    """Return the months of the tenant's own that logged facts were told by."""
    found: int | None = msgspec.json.decode(facts).get("overlay", {}).get("stale_months")
    return found


def in_every_edge(law: Policy) -> Policy:
    """Return `law` with facts that tell every span by every edge, whatever its places ask."""
    return replace(law, data=replace(law.data, measures=None))


def about(
    question: Question,
    subject: SubjectId | None,
    facts: SubjectFacts,
    state: State,
    overlay: Overlay,
    law: Policy,
    flags: Flags = NO_FLAGS,
) -> bytes:
    """Return the facts that a question would be decided on, as `Decide` states them."""
    zones = law.gazetteer.zones
    situation = Situation(
        question=question,
        subject=subject,
        facts=facts,
        flags=flags,
        state=state,
        zones=Zones(
            known=ZoneInfo(facts.time_zone) if facts.time_zone in zones and facts.time_zone is not None else None,
            plausible=tuple(ZoneInfo(name) for name in question.context.plausible_time_zones or () if name in zones),
        ),
        overlay=overlay,
    )
    return fill(template(situation, law.data, law.is_holiday), question.at).facts


def ordinary(law: Policy, at: datetime) -> list[bytes]:
    """Return the facts of ordinary questions, about strangers of every place: whatever fails on them is no policy."""
    found = []
    for place in (NOWHERE, *sorted(law.data.places)):
        facts = SubjectFacts(residence=place, is_customer=True, b2b=False)
        for channel in (Channel.EMAIL, Channel.PHONE):
            meaning = Purpose.MARKETING
            question = Question(channel=channel, purpose=meaning, meaning=meaning, at=at, context=Context())
            found.append(about(question, None, facts, State(), NO_OVERLAY, law))
    return found
