"""Which rights a law gives, and what each of them needs: `policies/data/rights.json` as values."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from service.downstreams import TaskKind
from service.kernel import DomainError
from service.requests.periods import UnknownLaw

NOWHERE: Final = "ZZ"


class RightUnknown(DomainError):
    """The law doesn't know that right. The answer names those that it knows."""

    code = "right_unknown"


class GroundUnknown(DomainError):
    """The law gives no such ground for what is asked. The answer names those that it gives."""

    code = "ground_unknown"


class MethodUnknown(DomainError):
    """Identity or authority can't be shown like that. The answer names how it can."""

    code = "method_unknown"


class Right(StrEnum):
    """What people can ask for, under one name in every law."""

    ACCESS = "access"
    KNOW_CATEGORIES = "know_categories"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    WITHDRAW_CONSENTS = "withdraw_consents"
    OPT_OUT_OF_SALE = "opt_out_of_sale"
    OPT_OUT_OF_SHARING = "opt_out_of_sharing"
    OPT_OUT_OF_TARGETED_ADS = "opt_out_of_targeted_ads"
    OPT_OUT_OF_PROFILING = "opt_out_of_profiling"
    OPT_OUT_OF_AUTOMATED_DECISIONS = "opt_out_of_automated_decisions"
    LIMIT_SENSITIVE_USE = "limit_sensitive_use"
    HUMAN_REVIEW = "human_review"
    APPEAL = "appeal"
    COMPLAINT = "complaint"


class Verification(StrEnum):
    """How sure it is who asks, least first."""

    NONE = "none"
    SESSION = "session"
    REASONABLE = "reasonable"
    HIGH = "high"

    def reaches(self, other: "Verification") -> bool:
        order = list(Verification)
        return order.index(self) >= order.index(other)


class Mark(StrEnum):
    """What a request says about its subject for as long as it stands."""

    ERASURE_PENDING = "erasure_pending"
    RESTRICTED = "restricted"


class Agent(StrEnum):
    """What somebody has to show who asks for another."""

    PROOF_OF_AUTHORITY = "proof_of_authority"
    SIGNED_PERMISSION = "signed_permission"


class Use(StrEnum):
    REFUSAL = "refusal"
    EXTENSION = "extension"
    FEE = "fee"


class Package(StrEnum):
    """What is put together for whoever asks."""

    EVERYTHING = "everything"
    CATEGORIES = "categories"
    """Which kinds of data there are, from where and for whom: nothing that they say."""


class Effect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record that a request makes when it is received, on any channel."""

    action: str
    purpose: str


class PeriodName(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A period of `deadlines.json`."""

    law: str
    request: str


class Entitlement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One right, as some laws give it."""

    laws: tuple[str, ...]
    right: Right
    request: str
    """Its name in `deadlines.json`."""
    period_law: str | None = None
    """The law of its period there, where that is not the law itself."""
    also: tuple[PeriodName, ...] = ()
    """Further periods that its receipt begins."""
    verification: Verification
    """What it needs before anything is disclosed or destroyed."""
    login_suffices: bool = False
    """Whether a log-in will do, though more is needed of those who have no account."""
    discloses: bool = False
    package: Package | None = None
    """What the answer is put together from; nothing where it is no package."""
    destroys: bool = False
    at_once: tuple[Effect, ...] = ()
    """What takes effect on receipt, whoever asks."""
    marks: Mark | None = None
    refusals: tuple[str, ...]
    extensions: tuple[str, ...] = ()
    agent: Agent
    rules: tuple[str, ...]
    citation: str
    disputed: str | None = None

    def satisfied_by(self, level: Verification) -> bool:
        return level.reaches(self.verification) or (self.login_suffices and level is Verification.SESSION)

    def periods(self, law: str) -> tuple[PeriodName, ...]:
        """Return the period of the answer under one of its laws, then the further ones."""
        return PeriodName(law=self.period_law or law, request=self.request), *self.also


class Ground(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reason that some laws accept, and where they say so."""

    id: str
    of: Use
    laws: tuple[str, ...]
    article: str
    personal: bool = False
    """Whether it is about who asked, so that it says nothing to others who asked for the same."""


class Method(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to show who one is."""

    id: str
    proves: Verification
    points: int = 0
    """By saying at least so many things that are kept of one; 0: not like that."""
    declaration: bool = False
    """And by declaring, as the law wants it, that one is the person."""


class Frequency(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often some laws have some rights answered for nothing, and what they allow beyond."""

    laws: tuple[str, ...]
    rights: tuple[Right, ...]
    together: bool = False
    """Whether the rights are counted as one."""
    months: int
    free: int | None = None
    """None where the law names no number."""
    refusals: tuple[str, ...] = ()
    fees: tuple[str, ...] = ()
    article: str
    rules: tuple[str, ...]
    disputed: str | None = None


class Holding(StrEnum):
    """What waits until every system has answered that was told of something."""

    ANSWER = "answer"
    CLOSE = "close"
    """The case stays on the desk, but the person has what they asked for: it counts here since its receipt, say."""


class Telling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what some laws have others told, who hold the data as well, and when."""

    laws: tuple[str, ...]
    rights: tuple[Right, ...]
    kind: TaskKind
    on: tuple[str, ...]
    """The moves that begin it."""
    after: TaskKind | None = None
    """Only whoever was told of this is told."""
    holds_up: Holding
    article: str
    rules: tuple[str, ...]
    disputed: str | None = None


class Marking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """While a request stands where, it says something about its subject."""

    states: tuple[str, ...] = field(name="in")
    lifts: bool
    """Whether it can end before the request does."""
    rules: tuple[str, ...]
    citation: str


class RightsTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document, as it stands in the file."""

    assumed: str
    of_regime: Mapping[str, str]
    of_place: Mapping[str, str]
    methods: tuple[Method, ...]
    authorities: Mapping[Agent, tuple[str, ...]]
    marks: Mapping[Mark, Marking]
    remedies: Mapping[str, tuple[str, ...]]
    grounds: tuple[Ground, ...]
    frequencies: tuple[Frequency, ...]
    tells: tuple[Telling, ...]
    rights: tuple[Entitlement, ...]


class ContradictoryRights(Exception):
    """The table says two things about one right of one law."""


class Rights:
    """The table. It answers with the one entry about a right, or says which there are."""

    def __init__(self, table: RightsTable, regimes: Mapping[str, Sequence[str]]) -> None:
        """Take the table, and the regimes of each place.

        Raises:
            ContradictoryRights
        """
        self._table = table
        self._regimes = regimes
        self._laws: dict[str, dict[Right, Entitlement]] = {}
        for row in table.rights:
            for law in row.laws:
                known = self._laws.setdefault(law, {})
                if row.right in known:
                    raise ContradictoryRights(f"{law} gives {row.right} twice")
                known[row.right] = row
        self._methods = {method.id: method.proves for method in table.methods}

    @property
    def laws(self) -> Mapping[str, Mapping[Right, Entitlement]]:
        return self._laws

    @property
    def assumed(self) -> str:
        """The law of whom nobody knows where they live."""
        return self._table.assumed

    def law_of(self, place: str | None) -> tuple[str, bool]:
        """Return the law of a place (ISO 3166-1 or -2), and whether it is only assumed.

        A part of a country has the law of the country where it has none of its own.
        """
        for name in () if place is None or place == NOWHERE else (place, place.partition("-")[0]):
            if name in self._table.of_place:
                return self._table.of_place[name], False
            for regime in self._regimes.get(name, ()):
                if regime in self._table.of_regime:
                    return self._table.of_regime[regime], False
        return self.assumed, True

    @property
    def packaged(self) -> frozenset[Right]:
        """The rights that some law has answered with a package."""
        return frozenset(row.right for row in self._table.rights if row.package is not None)

    def of(self, law: str, right: Right) -> Entitlement:
        """Return what a law says about a right.

        Raises:
            UnknownLaw, RightUnknown
        """
        if (known := self._laws.get(law)) is None:
            raise UnknownLaw("no such law", pointers=["/law"], laws=sorted(self._laws))
        if (found := known.get(right)) is None:
            raise RightUnknown(f"{law} doesn't know this right", pointers=["/right"], law=law, rights=sorted(known))
        return found

    def marking(self, entitlement: Entitlement) -> Marking | None:
        """Return when a request for a right says something about its subject; ``None`` where it never does."""
        return None if entitlement.marks is None else self._table.marks[entitlement.marks]

    def ground(self, law: str, entitlement: Entitlement, use: Use, name: str | None) -> Ground:
        """Return why a request may be refused, or take longer.

        Raises:
            GroundUnknown
        """
        known = self._known_grounds(law, entitlement, use)
        for ground in self._table.grounds:
            if ground.id == name and ground.of is use and law in ground.laws and name in known:
                return ground
        raise GroundUnknown(f"{law} gives no such ground for it", pointers=["/reason"], reasons=sorted(known))

    def _known_grounds(self, law: str, entitlement: Entitlement, use: Use) -> tuple[str, ...]:
        match use:
            case Use.REFUSAL:
                return entitlement.refusals
            case Use.EXTENSION:
                return entitlement.extensions
            case Use.FEE:
                frequency = self.frequency(law, entitlement.right)
                return () if frequency is None else frequency.fees

    def frequency(self, law: str, right: Right) -> Frequency | None:
        """Return how often a law has a right answered for nothing; nothing where it says nothing about that."""
        return next((each for each in self._table.frequencies if law in each.laws and right in each.rights), None)

    def tells(self, law: str, right: Right) -> Sequence[Telling]:
        """Return what others are told of when a right of a law is used."""
        return [each for each in self._table.tells if law in each.laws and right in each.rights]

    def remedy(self, law: str) -> str:
        """Return what is open to whom a request is refused."""
        return next(remedy for remedy, laws in self._table.remedies.items() if law in laws)

    def proof(self, method: str | None) -> Verification:
        """Return how sure a way of showing who one is makes it.

        Raises:
            MethodUnknown
        """
        if method is None or method not in self._methods:
            raise MethodUnknown("identity isn't shown like that", pointers=["/reason"], reasons=sorted(self._methods))
        return self._methods[method]

    def said(self, points: int, *, declaration: bool) -> str | None:
        """Return the surest way of showing who one is by saying so many things that are kept of one, if it is one."""
        ways = [
            method
            for method in self._table.methods
            if 0 < method.points <= points and (declaration or not method.declaration)
        ]
        return max(ways, key=lambda method: method.points).id if ways else None

    def check_authority(self, entitlement: Entitlement, shown: str | None) -> None:
        """Refuse what shows no authority to ask for another.

        Raises:
            MethodUnknown
        """
        known = self._table.authorities[entitlement.agent]
        if shown not in known:
            raise MethodUnknown("that shows no authority", pointers=["/authority"], reasons=sorted(known))
