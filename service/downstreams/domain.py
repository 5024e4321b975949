"""Connected systems that hold what a tenant told them about people, and what each of them is told to do about one.

GDPR Art. 19: whoever data was disclosed to is told of an erasure, a rectification and a restriction. A task is one such
telling: to one system, about one person, for one request. It stays open until the system says that it has done it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from service.kernel import DomainError, Handle, SubjectId

OVERLAP: Final = timedelta(days=7)
"""How long the secret before the newest one is still good."""

PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""How long after each attempt that failed the next one is: three days in all, as Standard Webhooks has them."""

LEASE: Final = timedelta(seconds=60)
"""Whoever takes a task to a system has it for so long. Who died meanwhile is replaced by another after that."""


class DownstreamUnknown(DomainError):
    """The tenant has registered no system of this name."""

    code = "downstream_unknown"


class DownstreamUnusable(DomainError):
    """What is said about a system doesn't go together, or leads where nothing may be sent."""

    code = "downstream_unusable"


class DownstreamBusy(DomainError):
    """The system has not answered every task yet: it can't be forgotten, and who it is can't be changed."""

    code = "downstream_busy"


class TaskUnknown(DomainError):
    """There is no such task of that system."""

    code = "task_unknown"


class TaskSettled(DomainError):
    """The task has its answer already, and it is another one."""

    code = "task_settled"


class TaskNotSilent(DomainError):
    """Only a task to which a system stays silent is excused, or brought once more."""

    code = "task_not_silent"


class GroundNotKnown(DomainError):
    """The reason is none that the table of reasons has for this task."""

    code = "ground_not_known"


class SignatureRefused(DomainError):
    """The message was not signed by the system in whose name it came, is too old, or came before."""

    code = "signature_refused"


class SystemKind(StrEnum):
    """How a system learns of its tasks."""

    WEBHOOK = "webhook"
    """By a message to its URL, signed as Standard Webhooks has it."""
    OPENDSR = "opendsr"
    """It is a processor of OpenDSR 2.0."""
    PULL = "pull"
    """It asks: nothing is sent to it."""


class TaskKind(StrEnum):
    """What a system is to do with what it holds about a person."""

    ERASE = "erase"
    RECTIFY = "rectify"
    RESTRICT = "restrict"
    LIFT = "lift"
    """End a restriction."""
    ACCESS = "access"
    """Hand over a copy."""
    OPT_OUT = "opt_out"
    """Sell and share nothing, and send no marketing, from now on."""
    LIMIT = "limit"
    """Limit the use of sensitive data."""


class IdentityType(StrEnum):
    """By what a system may know a person, beside the tenant's ids. A field of the vault each."""

    EMAIL = "email"
    PHONE = "phone"
    DEVICE_ID = "device_id"


class TaskState(StrEnum):
    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    SILENT = "silent"
    """Its time was over before an answer came, or it can't be reached. An answer may still come."""
    EXCUSED = "excused"
    """It stayed silent, and an officer said why the case goes on without it; or the case ended before it answered."""


CASE_ENDED: Final = "case_ended"
"""Why nobody waits for the answer to a task whose request was refused or withdrawn."""
OWED: Final = (TaskState.OPEN, TaskState.SILENT)
SETTLED: Final = (TaskState.CONFIRMED, TaskState.REFUSED, TaskState.EXCUSED)
OF_OPENDSR: Final = {TaskKind.ERASE: "erasure", TaskKind.ACCESS: "access"}
"""What OpenDSR 2.0 has words for."""


class Downstream(Struct, frozen=True, kw_only=True):
    """A registered system."""

    name: str
    kind: SystemKind
    takes: tuple[TaskKind, ...]
    url: str | None = None
    client: str | None = None
    """The `client_id` whose tokens speak for it."""
    domain: str | None = None
    """Of an OpenDSR processor: the name in its certificate."""
    certificate: str | None = None
    """The certificate (PEM) by which it signs."""
    identities: tuple[IdentityType, ...] = ()
    """By what it is told of people, beside the tenant's ids."""

    def check(self, *, http: bool) -> None:
        """Refuse what doesn't go together. With `http` an address may do without TLS.

        Raises:
            DownstreamUnusable
        """
        if (self.url is None) != (self.kind is SystemKind.PULL):
            raise DownstreamUnusable("a system has a URL unless it pulls", pointers=["/url"])
        if self.url is not None and not self.url.startswith(("https://", "http://") if http else "https://"):
            raise DownstreamUnusable("the URL is no https:// address", pointers=["/url"])
        if self.kind is SystemKind.PULL and self.client is None:
            raise DownstreamUnusable("name the client whose token asks for its tasks", pointers=["/client"])
        opendsr = self.kind is SystemKind.OPENDSR
        for member in ("domain", "certificate"):
            if (getattr(self, member) is None) is opendsr:
                raise DownstreamUnusable("an OpenDSR processor has a domain and a certificate", pointers=[f"/{member}"])
        if opendsr and not OF_OPENDSR.keys() >= set(self.takes):
            raise DownstreamUnusable("OpenDSR knows erase and access alone", pointers=["/takes"])
        if opendsr and not {IdentityType.EMAIL} >= set(self.identities):
            raise DownstreamUnusable("OpenDSR has a word for e-mail addresses alone", pointers=["/identities"])


class StoredSecret(Struct, frozen=True, kw_only=True):
    """The secrets of a system, sealed."""

    id: UUID
    sealed: bytes
    public_key: str
    """By which its Ed25519 signatures are checked: `whpk_…`."""
    made_at: datetime
    ends_at: datetime | None
    """Until when it is good, once another has followed it."""


class ShownSecret(Struct, frozen=True, kw_only=True):
    """A secret at the one moment when it is shown."""

    secret: str
    public_key: str

    def __repr__(self) -> str:
        return "ShownSecret(hidden)"


class Identity(Struct, frozen=True):
    """One thing by which a system knows a person, such as `email` and an address."""

    type: str
    value: str

    def __repr__(self) -> str:
        return "Identity(hidden)"


class Person(Struct, frozen=True, kw_only=True):
    """Whom a task is about, as a system knows them. Sealed wherever it is kept, and gone with the answer."""

    subjects: tuple[SubjectId, ...]
    """The tenant's own ids: several of who was merged."""
    identities: tuple[Identity, ...] = ()
    regulation: Literal["gdpr", "ccpa"] = "gdpr"
    """Under what processors of OpenDSR are told that it is asked for."""

    def __repr__(self) -> str:
        return "Person(hidden)"


class Task(Struct, frozen=True, kw_only=True):
    """What one system is to do, and how far that got."""

    id: UUID
    system: str
    request: UUID
    handle: Handle
    kind: TaskKind
    state: TaskState
    assigned_at: datetime
    silent_at: datetime
    """When it counts as silent unless an answer came."""
    round: int = 1
    """How often it was begun: each round has messages of its own id."""
    attempts: int = 0
    """How often it was taken to the system since that last answered."""
    told_at: datetime | None = None
    """When the system took it."""
    settled_at: datetime | None = None
    ground: str | None = None
    """Why the system refused, or the officer excused: a word of the table."""
    fault: str | None = None
    """Why the last attempt failed: a word of `Fault`."""

    @property
    def message(self) -> str:
        """The id of the message that tells it: the same for each attempt of a round."""
        return f"task_{self.id.hex}_{self.round}"


class TaskOutcome(Struct, frozen=True, kw_only=True):
    """What became of a task, for the case that it belongs to."""

    task: UUID
    system: str
    kind: TaskKind
    state: TaskState
    ground: str | None
    at: datetime
    """When it was settled; while it isn't, when it was assigned."""


class Fault(StrEnum):
    """Why an attempt brought nothing."""

    UNREACHABLE = "unreachable"
    TOO_SLOW = "too_slow"
    FORBIDDEN_ADDRESS = "forbidden_address"
    REFUSED = "refused"
    """It answered with a status that is no success."""
    GONE = "gone"
    """It answered 410: the system is no longer there."""
    TOO_LONG = "too_long"
    UNSIGNED = "unsigned"
    """Its answer isn't signed by its certificate."""
    CANCELLED = "cancelled"
    """It says that it cancelled the request."""
    UNREADABLE = "unreadable"
    """Whom the task is about, or what it would be signed by, does not open any more."""
    NO_LONGER_REGISTERED = "no_longer_registered"


class Answer(Struct, frozen=True, kw_only=True):
    """What a system answered."""

    outcome: TaskState
    """`open`: it took the task."""
    ground: str | None = None


class Ground(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reason by which a system may refuse, or an officer go on without its answer."""

    id: str
    kinds: tuple[TaskKind, ...]
    title: str
    source: str


class Grounds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table of reasons: policies/downstreams.json."""

    refusals: tuple[Ground, ...]
    excuses: tuple[Ground, ...]

    def refusal(self, kind: TaskKind, ground: str) -> str:
        """Return the word of a refusal. Raises GroundNotKnown."""
        return _known(self.refusals, kind, ground, "/ground")

    def excuse(self, kind: TaskKind, reason: str) -> str:
        """Return the word of an excuse. Raises GroundNotKnown."""
        return _known(self.excuses, kind, reason, "/reason")


def _known(table: Sequence[Ground], kind: TaskKind, word: str, pointer: str) -> str:
    known = [ground.id for ground in table if kind in ground.kinds]
    if word not in known:
        raise GroundNotKnown("no such reason for this task", pointers=[pointer], reasons=known)
    return word


def next_attempt(attempts: int, now: datetime, spread: float) -> datetime | None:
    """Return when to try again after so many attempts failed; nothing if that was the last.

    `spread`, from 0 to 1, is by chance: up to a tenth longer, so that what failed together doesn't come back together.
    """
    if attempts > len(PAUSES):
        return None
    return now + PAUSES[attempts - 1] * (1 + spread / 10)
