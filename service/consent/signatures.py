"""One record → its acts, one for each channel that it names."""

import re
from datetime import UTC
from typing import Final

from msgspec import UNSET, UnsetType

from service.consent.domain import Act, Record, Signature
from service.consent.vocabulary import ANY, Vocabulary

_PEWC: Final = re.compile(r"(?<![^\W_])pewc(?![^\W_])", re.IGNORECASE)
"""The word that marks a prior express written consent (47 CFR 64.1200(f)(9)), wherever it stands in the evidence."""

_EVERYWHERE: Final = ("any", "all")


def acts_of(record: Record, vocabulary: Vocabulary) -> list[Act]:
    """Return what `record` says, once for each channel."""
    at = record.effective_at.astimezone(UTC)
    ends = record.expires_at.astimezone(UTC) if record.expires_at is not None else None
    if isinstance(record.channel, tuple):
        channels = sorted({channel.value for channel in record.channel})
    else:
        channels = [ANY if record.channel in _EVERYWHERE else record.channel.value]
    return [
        Act(id=record.id, at=at, expires_at=ends, signature=_signature(record, channel, len(channels) > 1, vocabulary))
        for channel in channels
    ]


def _signature(record: Record, channel: str, several: bool, vocabulary: Vocabulary) -> Signature:
    if record.action in vocabulary.attempts:
        return Signature(action=record.action, channel=channel)
    return Signature(
        action=record.action,
        channel=channel,
        several=several,
        purpose=ANY if record.purpose in _EVERYWHERE else record.purpose,
        method=vocabulary.method_class(record.method),
        evidence=_evidence(record.evidence),
        notice_shown=record.notice_shown,
        notice_version=record.notice_version,
        scope=record.scope,
        ground=record.ground,
        in_reply_to=record.in_reply_to,
        explicit=record.explicit,
        two_step=record.two_step,
        unbundled=record.unbundled,
        dark_pattern=record.dark_pattern,
        logged_in=record.logged_in,
        informed_subject=record.informed_subject,
        optout_offered_at_collection=record.optout_offered_at_collection,
        indirect_remuneration=record.indirect_remuneration,
        ongoing_contract=record.ongoing_contract,
        fin_notice=record.fin_notice,
        no_solicitation_statement=record.no_solicitation_statement,
        consumer_initiated=record.consumer_initiated,
        after_conflict_notice=record.after_conflict_notice,
        incentive=bool(record.incentive),
        named_controllers=_names(record.named_controllers),
        named_recipients=_names(record.named_recipients),
        brand=record.brand,
        address=record.address,
        programme=record.programme,
        seller=record.seller,
        subject_ref=record.subject_ref,
        data_categories=_names(record.data_categories),
        hours_consent=record.hours_consent,
        expires=record.expires_at is not None,
    )


def _evidence(evidence: str | UnsetType | None) -> str | None:
    if evidence is UNSET:
        return None
    if evidence is None:
        return "null"
    return "pewc" if _PEWC.search(evidence) else "present"


def _names(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(set(names)))
