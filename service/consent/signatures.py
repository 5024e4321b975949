"""One record → its acts, one for each channel that it names."""

import re
from datetime import UTC, datetime
from typing import Final

from msgspec import UNSET, UnsetType

from service.consent.domain import Act, Received, Signature, Statement
from service.consent.vocabulary import ANY, Vocabulary

_PEWC: Final = re.compile(r"(?<![^\W_])pewc(?![^\W_])", re.IGNORECASE)
"""The word that marks a prior express written consent (47 CFR 64.1200(f)(9)), wherever it stands in the evidence."""

_EVERYWHERE: Final = ("any", "all")


def effective_at(record: Received) -> datetime:
    """Return when a record took effect. Never later than its arrival: a future date may not outrank what comes next."""
    return min(record.statement.happened_at, record.received_at)


def acts_of(record: Received, vocabulary: Vocabulary) -> list[Act]:
    """Return what `record` says, once for each channel."""
    said = record.statement
    at = effective_at(record).astimezone(UTC)
    ends = said.expires_at.astimezone(UTC) if said.expires_at is not None else None
    if isinstance(said.channel, tuple):
        channels = sorted({channel.value for channel in said.channel})
    else:
        channels = [ANY if said.channel in _EVERYWHERE else said.channel.value]
    return [
        Act(id=record.id, at=at, expires_at=ends, signature=_signature(said, channel, len(channels) > 1, vocabulary))
        for channel in channels
    ]


def _signature(said: Statement, channel: str, several: bool, vocabulary: Vocabulary) -> Signature:
    if said.action in vocabulary.attempts:
        return Signature(action=said.action, channel=channel)
    return Signature(
        action=said.action,
        channel=channel,
        several=several,
        purpose=ANY if said.purpose in _EVERYWHERE else said.purpose,
        method=vocabulary.method_class(said.method),
        evidence=_evidence(said.evidence),
        notice_shown=said.notice_shown,
        notice_version=said.notice_version,
        scope=said.scope,
        ground=said.ground,
        in_reply_to=said.in_reply_to,
        explicit=said.explicit,
        two_step=said.two_step,
        unbundled=said.unbundled,
        dark_pattern=said.dark_pattern,
        logged_in=said.logged_in,
        informed_subject=said.informed_subject,
        optout_offered_at_collection=said.optout_offered_at_collection,
        indirect_remuneration=said.indirect_remuneration,
        ongoing_contract=said.ongoing_contract,
        fin_notice=said.fin_notice,
        no_solicitation_statement=said.no_solicitation_statement,
        consumer_initiated=said.consumer_initiated,
        after_conflict_notice=said.after_conflict_notice,
        incentive=bool(said.incentive),
        named_controllers=_names(said.named_controllers),
        named_recipients=_names(said.named_recipients),
        brand=said.brand,
        address=said.address,
        programme=said.programme,
        seller=said.seller,
        subject_ref=said.subject_ref,
        data_categories=_names(said.data_categories),
        hours_consent=said.hours_consent,
        expires=said.expires_at is not None,
    )


def _evidence(evidence: str | UnsetType | None) -> str | None:
    if evidence is UNSET:
        return None
    if evidence is None:
        return "null"
    return "pewc" if _PEWC.search(evidence) else "present"


def _names(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(set(names)))
