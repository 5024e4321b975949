"""What lies in the stores, in the words of a package: pure, one thing at a time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from service.consent import Act, Notice, State, StoredRecord, shown
from service.decisions import Made, Verdict, governed_by
from service.kernel import Handle
from service.packages.declared import Declared, Redaction
from service.packages.domain import (
    DecisionTold,
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
    Until,
)
from service.requests import Happened, Request, Standing
from service.reveals import Revealed
from service.vault import Field


def record_told(record: StoredRecord, of: Handle, versions: Sequence[Notice], redact: Redaction) -> RecordTold:
    """Return a record of a person, who has the handle `of` by now."""
    statement: dict[str, Any] = msgspec.to_builtins(record.statement)
    said, left_out = redact.said(statement)
    notice = shown(record, versions)
    return RecordTold(
        id=record.id,
        received_at=record.received_at,
        former=record.handle != of,
        said=said,
        notice=None if notice is None else notice.content.notice,
        left_out=left_out,
    )


def request_told(request: Request, standing: Standing, history: Sequence[Happened], redact: Redaction) -> RequestTold:
    return RequestTold(
        id=request.id,
        received_at=request.received_at,
        right=request.right.value,
        law=request.law,
        via=request.said.via.value,
        state=standing.state.value,
        due_on=standing.due_on,
        moves=tuple(
            MoveTold(move=each.move.value, at=each.at, by=redact.client(each.actor), reason=each.reason)
            for each in history
        ),
    )


def decision_told(made: Made, verdict: Verdict, redact: Redaction) -> DecisionTold:
    return DecisionTold(
        id=made.id,
        decided_at=made.decided_at,
        at=made.at,
        asked_by=redact.client(made.actor),
        channel=made.channel,
        purpose=made.purpose,
        permit=made.permit,
        basis=verdict.basis.value,
        reasons=tuple(ReasonTold(rule=cited.rule, effect=cited.effect.value) for cited in verdict.reasons),
        records=made.records,
        policy=governed_by(made.revision, made.overlay_version),
    )


def reveal_told(reveal: Revealed, redact: Redaction) -> RevealTold:
    return RevealTold(
        id=reveal.id,
        at=reveal.at,
        by=redact.client(reveal.actor),
        purpose=reveal.purpose,
        channel=None if reveal.channel is None else reveal.channel.value,
        fields=dict(sorted(reveal.fields.items())),
        masked=dict(sorted(reveal.masked.items())),
        decision=reveal.decision,
    )


def notice_told(notice: Notice) -> NoticeTold:
    content = notice.content
    return NoticeTold(
        notice=content.notice,
        version=content.version,
        sha256=notice.sha256.hex(),
        stored_at=notice.created_at,
        texts=dict(sorted(content.texts.items())),
        purposes=content.purposes,
        channels=tuple(channel.value for channel in content.channels),
        controllers=content.controllers,
        material_change=content.material_change,
    )


def state_told(state: State) -> tuple[StandTold, ...]:
    """Return the acts that can still count, newest first."""

    def told(act: Act) -> StandTold:
        return StandTold(
            action=act.signature.action.value,
            channel=act.signature.channel,
            purpose=act.signature.purpose,
            at=act.at,
            expires_at=act.expires_at,
            notice_version=act.signature.notice_version,
            record=act.id,
        )

    return tuple(told(act) for act in sorted(state.acts, key=lambda act: act.key, reverse=True))


def retention_told(fields: Iterable[Field], declared: Declared) -> tuple[RetentionTold, ...]:
    """Return how long what a person has in `fields` is kept, and everything else."""
    values = [RetentionTold(what="values", until=Until.ERASURE)]
    values += [
        RetentionTold(what=field.name, until=Until.REPLACED, days=field.retention_days)
        for field in sorted(fields, key=lambda field: field.name)
        if field.retention_days is not None
    ]
    evidence = [RetentionTold(what=what, until=Until.EVIDENCE) for what in ("records", "decisions", "reveals")]
    stated = [RetentionTold(what=line, until=Until.DECLARED) for line in declared.retention]
    return (*values, RetentionTold(what="facts", until=Until.EVIDENCE), *evidence, *stated)


class Tally:
    """Counts, row by row, who had what of the person, where it came from and which rules decided."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._recipients: dict[tuple[Role, str], RecipientTold] = {}
        self._sources: dict[tuple[Origin, str], int] = {}
        self._rules: dict[tuple[str, str, str], int] = {}

    def decided(self, told: DecisionTold, titles: Mapping[str, tuple[str, str]]) -> None:
        self._had(Role.ASKER, told.asked_by, told.decided_at, told.purpose, ())
        for reason in told.reasons:
            title, citation = titles.get(reason.rule, (reason.rule, ""))
            key = reason.rule, title, citation
            self._rules[key] = self._rules.get(key, 0) + 1

    def revealed(self, told: RevealTold) -> None:
        self._had(Role.READER, told.by, told.at, told.purpose, (*told.fields, *told.masked))

    def holds(self, who: str, at: datetime, purpose: str, name: str) -> None:
        self._had(Role.HOLDER, who, at, purpose, (name,))

    def came_from(self, origin: Origin, who: str) -> None:
        self._sources[origin, who] = self._sources.get((origin, who), 0) + 1

    @property
    def recipients(self) -> tuple[RecipientTold, ...]:
        return tuple(told for _, told in sorted(self._recipients.items()))

    @property
    def rules(self) -> tuple[RuleTold, ...]:
        return tuple(
            RuleTold(rule=rule, title=title, citation=citation, times=times)
            for (rule, title, citation), times in sorted(self._rules.items())
        )

    @property
    def sources(self) -> tuple[SourceTold, ...]:
        found = [SourceTold(origin=origin, who=who, times=times) for (origin, who), times in self._sources.items()]
        found.sort(key=lambda source: (source.origin, source.who))
        stated = [SourceTold(origin=Origin.DECLARED, who=line, times=0) for line in self._declared.sources]
        return (*found, *stated)

    def _had(self, role: Role, who: str, at: datetime, purpose: str, fields: Sequence[str]) -> None:
        had = self._recipients.get((role, who))
        if had is None:
            name = self._declared.recipients.get(who)
            self._recipients[role, who] = RecipientTold(
                who=who, name=name, role=role, times=1, first=at, last=at, purposes=(purpose,),
                fields=tuple(sorted(set(fields))),
            )  # fmt: skip
            return
        self._recipients[role, who] = msgspec.structs.replace(
            had,
            times=had.times + 1,
            first=min(had.first, at),
            last=max(had.last, at),
            purposes=tuple(sorted({*had.purposes, purpose})),
            fields=had.fields if set(fields) <= set(had.fields) else tuple(sorted({*had.fields, *fields})),
        )
