from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from service.consent import Channel
from service.decisions import Context, Overlay, governed_by
from service.kernel import exactly
from service.trials.domain import Candidate, NamedChange, Over, Period, Population, State, Trial
from service.trials.tally import Group, Standing

TableName = Annotated[str, exactly("[a-z][a-z_]{0,62}")]
ModulePath = Annotated[str, exactly("volens(/[a-z][a-z0-9_]{0,62}){1,4}\\.rego")]
Rego = Annotated[str, Meta(min_length=1, max_length=200_000)]
_standing = msgspec.json.Decoder(Standing)


class TrialCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A candidate, and what it is tried on. What it leaves out stays as it governs."""

    over: Over
    overlay: Overlay | None = None
    """In place of your own policy."""
    tables: Annotated[dict[TableName, Any], Meta(max_length=30)] | None = None
    """Whole tables of the law, by the names that `policies/data` has."""
    modules: Annotated[dict[ModulePath, Rego], Meta(max_length=20)] | None = None
    """Files of the law in Rego, by their path in the bundle: replaced, or added. Only where an OPA is configured."""

    def candidate(self) -> Candidate:
        return Candidate(overlay=self.overlay, tables=self.tables or {}, modules=self.modules or {})


class PeriodView(Struct, frozen=True, kw_only=True):
    since: datetime
    until: datetime


class SurveyView(Struct, frozen=True, kw_only=True):
    channel: Channel
    purpose: str
    context: Context
    at: datetime


class OverView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the candidate is tried on."""

    decisions: PeriodView | None = None
    subjects: SurveyView | None = None

    @classmethod
    def of(cls, over: Period | Population) -> "OverView":
        if isinstance(over, Period):
            return cls(decisions=PeriodView(since=over.since, until=over.until))
        return cls(subjects=SurveyView(channel=over.channel, purpose=over.purpose, context=over.context, at=over.at))


class ProgressView(Struct, frozen=True, kw_only=True):
    done: int
    total: int | None
    """Unknown until the trial begins."""


class GroupView(Struct, frozen=True, kw_only=True):
    """The changes that have a rule, a channel or a purpose in common."""

    name: str
    to_deny: int
    to_permit: int
    examples: list[UUID]
    """At most five decisions; where subjects were asked about, handles."""


class RevisionView(Struct, frozen=True, kw_only=True):
    policy_revision: str
    judged: int


class ResultView(Struct, frozen=True, kw_only=True):
    """What would change."""

    judged: int
    unchanged: int
    to_deny: int
    to_permit: int
    reasons_changed: int
    """The same answer for other reasons, among the unchanged."""
    unjudged: int
    """Those about whom nobody can tell: their facts don't tell apart what the candidate measures, or can't be read."""
    rules: list[GroupView]
    """By each rule that denies, on the side that denies. A change can have several."""
    channels: list[GroupView]
    purposes: list[GroupView]
    revisions: list[RevisionView]
    """What was judged then, by revision."""

    @classmethod
    def of(cls, standing: bytes) -> "ResultView":
        tally = _standing.decode(standing).tally
        return cls(
            judged=tally.judged,
            unchanged=tally.unchanged,
            to_deny=tally.to_deny,
            to_permit=tally.to_permit,
            reasons_changed=tally.reasons_changed,
            unjudged=tally.unjudged,
            rules=_groups(tally.rules),
            channels=_groups(tally.channels),
            purposes=_groups(tally.purposes),
            revisions=[
                RevisionView(policy_revision=name, judged=count) for name, count in sorted(tally.revisions.items())
            ],
        )


class TrialView(Struct, frozen=True, kw_only=True):
    """A trial as it stands."""

    id: UUID
    state: State
    candidate: str
    """The name of its content."""
    policy_revision: str
    """What governed when it was asked for, and what the candidate changes."""
    over: OverView
    created_at: datetime
    actor: str
    progress: ProgressView
    fault: str | None
    """Why it failed."""
    result: ResultView | None
    """Set once it is done."""

    @classmethod
    def of(cls, trial: Trial) -> "TrialView":
        done = trial.state is State.DONE and trial.standing is not None
        return cls(
            id=trial.id,
            state=trial.state,
            candidate=trial.candidate,
            policy_revision=governed_by(trial.base.revision, trial.base.version),
            over=OverView.of(trial.over),
            created_at=trial.created_at,
            actor=trial.actor,
            progress=ProgressView(done=trial.done, total=trial.total),
            fault=trial.fault,
            result=ResultView.of(trial.standing) if done and trial.standing is not None else None,
        )


class TrialPage(Struct, frozen=True, kw_only=True):
    """Some trials, the newest first. `Link` says where to go on."""

    trials: list[TrialView]


class ChangeView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision, or the answer about a subject, that would be another."""

    channel: str
    purpose: str
    then: str
    now: str
    rules: tuple[str, ...]
    """Those that deny, on the side that denies."""
    decision: UUID | None = None
    subject: str | None = None
    handle: UUID | None = None

    @classmethod
    def of(cls, named: NamedChange, *, people: bool) -> "ChangeView":
        change = named.change
        return cls(
            channel=change.channel,
            purpose=change.purpose,
            then="permit" if change.permit_then else "deny",
            now="permit" if change.permit_now else "deny",
            rules=change.rules,
            decision=None if people else change.id,
            subject=named.subject,
            handle=change.id if people else None,
        )


class ChangePage(Struct, frozen=True, kw_only=True):
    """Some changes, in the order of their ids. `Link` says where to go on."""

    changes: list[ChangeView]


def _groups(groups: dict[str, Group]) -> list[GroupView]:
    """The largest first."""
    views = [
        GroupView(name=name, to_deny=group.to_deny, to_permit=group.to_permit, examples=group.examples)
        for name, group in groups.items()
    ]
    return sorted(views, key=lambda view: (-view.to_deny - view.to_permit, view.name))
