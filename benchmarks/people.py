"""A made-up list of mixed subjects, skewed as real lists are.

Half of them live in one country and the rest in sixty. People opt in at a dozen points,
each with its method, its channels and the notice of its time; most never do anything
again, a few do very much, and nearly all of that is buying. They refuse, have birthdays,
registers and signals, travel and move. Dates are spread over days.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Generic, TypeVar
from uuid import UUID

from msgspec import UNSET, Struct

from service.consent import EMPTY, Action, Channel, Purpose, RecordChannel, State, Statement, fold
from service.decisions import Policy
from service.subjects import Signals, SubjectFacts

AT = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)
"""A Tuesday evening in Europe, noon in America."""
LAST_MAILING = AT - timedelta(days=4)
T = TypeVar("T")


class Weighted(Generic[T]):
    """Words, picked as often as their weights say."""

    def __init__(self, weights: Mapping[T, int]) -> None:
        self._words = list(weights)
        self._sums = list(accumulate(weights.values()))

    def pick(self, random: Random) -> T:
        return random.choices(self._words, cum_weights=self._sums)[0]


PLACES: dict[str, tuple[int, str]] = {
    "DE": (2228, "Europe/Berlin"),
    "FR": (259, "Europe/Paris"),
    "GB": (259, "Europe/London"),
    "IT": (133, "Europe/Rome"),
    "ES": (113, "Europe/Madrid"),
    "NL": (113, "Europe/Amsterdam"),
    "PL": (94, "Europe/Warsaw"),
    "AT": (351, "Europe/Vienna"),
    "BE": (58, "Europe/Brussels"),
    "SE": (31, "Europe/Stockholm"),
    "DK": (19, "Europe/Copenhagen"),
    "IE": (19, "Europe/Dublin"),
    "FI": (11, "Europe/Helsinki"),
    "PT": (11, "Europe/Lisbon"),
    "CZ": (14, "Europe/Prague"),
    "NO": (11, "Europe/Oslo"),
    "RO": (6, "Europe/Bucharest"),
    "GR": (6, "Europe/Athens"),
    "HU": (8, "Europe/Budapest"),
    "SK": (4, "Europe/Bratislava"),
    "HR": (3, "Europe/Zagreb"),
    "LU": (5, "Europe/Luxembourg"),
    "BG": (2, "Europe/Sofia"),
    "SI": (1, "Europe/Ljubljana"),
    "LT": (1, "Europe/Vilnius"),
    "CH": (216, "Europe/Zurich"),
    "US-CA": (25, "America/Los_Angeles"),
    "US-TX": (14, "America/Chicago"),
    "US-NY": (14, "America/New_York"),
    "US-FL": (11, "America/New_York"),
    "US-PA": (5, "America/New_York"),
    "US-IL": (5, "America/Chicago"),
    "US-OH": (4, "America/New_York"),
    "US-GA": (4, "America/New_York"),
    "US-NC": (3, "America/New_York"),
    "US-MI": (3, "America/Detroit"),
    "US-NJ": (3, "America/New_York"),
    "US-WA": (3, "America/Los_Angeles"),
    "US-VA": (3, "America/New_York"),
    "US-AZ": (2, "America/Phoenix"),
    "US-MA": (3, "America/New_York"),
    "US-CO": (2, "America/Denver"),
    "US-MD": (2, "America/New_York"),
    "US-MN": (1, "America/Chicago"),
    "US-OR": (1, "America/Los_Angeles"),
    "US-CT": (1, "America/New_York"),
    "US-UT": (1, "America/Denver"),
    "US-NV": (1, "America/Los_Angeles"),
    "US-OK": (1, "America/Chicago"),
    "US-DE": (1, "America/New_York"),
    "CA-ON": (11, "America/Toronto"),
    "CA-QC": (5, "America/Montreal"),
    "CA-BC": (4, "America/Vancouver"),
    "CA-AB": (2, "America/Edmonton"),
    "BR": (14, "America/Sao_Paulo"),
    "IN": (11, "Asia/Kolkata"),
    "AU": (6, "Australia/Sydney"),
    "JP": (3, "Asia/Tokyo"),
    "MX": (2, "America/Mexico_City"),
    "TR": (2, "Europe/Istanbul"),
}
"""How often someone lives there, and where most of them have their clocks. Half live in one country."""
UNPLACED = 0.02
RESIDENCES = Weighted({place: weight for place, (weight, _) in PLACES.items()})
SUBSCRIBERS = Weighted({"corporate": 60, "individual": 25, "partnership": 15})


class Point(Struct, frozen=True, kw_only=True):
    """Where people opt in. What is recorded there is alike but for its time and the notice of that time."""

    channel: RecordChannel | tuple[Channel, ...] = RecordChannel.EMAIL
    purpose: Purpose = Purpose.MARKETING
    method: str
    proven: bool = True
    informed: bool = True
    incentive: str | None = None
    unbundled: bool | None = None
    lasts: timedelta | None = None


POINTS = Weighted(
    {
        Point(method="double_opt_in_email"): 500,
        Point(method="checkout"): 200,
        Point(method="web_form", incentive="voucher", unbundled=True): 60,
        Point(method="crm_import", proven=False, informed=False): 40,
        Point(method="list_broker", informed=False): 15,
        Point(method="account_setting", channel=(Channel.EMAIL, Channel.SMS)): 60,
        Point(method="loyalty_enrolment", channel=(Channel.EMAIL, Channel.PHONE, Channel.POST)): 20,
        Point(method="in_app_dialog", channel=RecordChannel.PUSH): 30,
        Point(method="cmp_accept", channel=RecordChannel.WEB, purpose=Purpose.TARGETED_ADS): 50,
        Point(method="e_sign", channel=RecordChannel.SMS): 10,
        Point(method="account_setting", purpose=Purpose.PARTNER_MARKETING): 10,
    }
)
NOTICES = [datetime(year, month, 1, tzinfo=UTC) for year, month in ((2022, 6), (2024, 11), (2026, 1))]
"""When the text that people are shown was changed."""
OPT_OUT_METHODS = Weighted(
    {
        "unsubscribe_link": 55,
        "one_click_post": 25,
        "account_setting": 12,
        "free_text_reply": 5,
        "email_to_support": 3,
    }
)
REFUSED = Weighted({RecordChannel.EMAIL: 80, RecordChannel.SMS: 8, RecordChannel.PUSH: 5, RecordChannel.PHONE: 7})
FIRST = Weighted({"opt_in": 88, "purchase": 9, "free_account": 1, "opt_out": 1, "declined": 1})
LATER = Weighted(
    {
        "purchase": 850,
        "opt_out": 70,
        "opt_in": 60,
        "inquiry": 5,
        "free_account": 5,
        "basket_abandoned": 5,
        "call_attempt": 2,
        "declined": 2,
        "object": 2,
        "complaint": 2,
    }
)
OFFERED_SINCE = datetime(2024, 3, 1, tzinfo=UTC)
"""Since then the check-out offers a way out of marketing."""


class Person(Struct, frozen=True):
    facts: SubjectFacts
    state: State


class Arrived(Struct, frozen=True):
    """A record as the fold sees it."""

    id: UUID
    received_at: datetime
    statement: Statement


class Population:
    """The same people for the same seed."""

    def __init__(self, policy: Policy, seed: int = 7) -> None:
        self._random = Random(seed)
        self._vocabulary = policy.vocabulary
        self._records = 0

    def people(self, number: int) -> Iterator[Person]:
        for _ in range(number):
            yield self._person()

    def _person(self) -> Person:
        random = self._random
        residence = None if self._happens(UNPLACED) else RESIDENCES.pick(random)
        joined = self._ago(1500)
        history = self._history(joined)
        said = {each.statement.action: each.statement.ts for each in reversed(history)}
        b2b = self._happens(0.04)
        away = self._happens(0.002)
        moved = self._happens(0.003)
        facts = SubjectFacts(
            residence=residence,
            current_location=RESIDENCES.pick(random) if away else None,
            previous_residence=RESIDENCES.pick(random) if moved else None,
            moved_at=self._ago(1000).date() if moved else None,
            **self._age(joined),
            age_signals="likely_under_16" if self._happens(0.002) else None,
            time_zone=PLACES[residence][1] if residence and self._happens(0.8) else None,
            is_customer=Action.PURCHASE in said,
            b2b=b2b,
            subscriber_type=SUBSCRIBERS.pick(random) if b2b else None,
            relationship="employee" if self._happens(0.003) else None,
            last_interaction_at=self._since(joined, 240) if self._happens(0.7) else None,
            last_sent_at=said.get(Action.OPT_OUT, LAST_MAILING) if self._happens(0.95) else None,
            signals=self._signals(residence or "", joined),
        )
        return Person(facts, fold(EMPTY, history, self._vocabulary))

    def _age(self, joined: datetime) -> dict[str, Any]:
        age = min(90, max(11, int(self._random.gauss(41, 15))))
        if self._happens(0.12):
            return {"birth_date": date(2026 - age, 1, 1) + timedelta(days=self._random.randrange(365))}
        if self._happens(0.03):
            return {"age": age, "age_declared_at": joined}
        return {}

    def _signals(self, residence: str, joined: datetime) -> Signals:
        country, random = residence[:2], self._random
        return Signals(
            gpc=True if country == "US" and random.random() < 0.06 else None,
            gpc_first_seen=self._since(joined, 300) if country == "US" and random.random() < 0.03 else None,
            consumer_known=True if country == "US" and random.random() < 0.05 else None,
            bloctel_listed=True if country == "FR" and random.random() < 0.05 else None,
            tps_listed=True if country == "GB" and random.random() < 0.25 else None,
            rpo_listed=True if country == "IT" and random.random() < 0.1 else None,
            robinson_listed=True if country in {"ES", "AT", "DE", "BE"} and random.random() < 0.03 else None,
            ndnc_listed=True if country == "IN" and random.random() < 0.2 else None,
            dncl_listed=True if country == "CA" and random.random() < 0.2 else None,
            dnd_registered=True if country == "US" and random.random() < 0.3 else None,
            asterisk=True if country == "CH" and random.random() < 0.2 else None,
            number_reassigned_after=self._ago(900).date() if random.random() < 0.003 else None,
        )

    def _history(self, joined: datetime) -> list[Arrived]:
        """Return few records of most people and very many of a few, the first an opt-in more often than not."""
        if self._happens(0.04):
            return []
        length = min(400, int(self._random.paretovariate(2.2)))
        kinds = [FIRST.pick(self._random), *(LATER.pick(self._random) for _ in range(length - 1))]
        dates = [joined, *(self._since(joined, 500) for _ in kinds[1:])]
        return [self._arrived(self._statement(kind, ts)) for kind, ts in zip(kinds, dates, strict=True)]

    def _arrived(self, statement: Statement) -> Arrived:
        self._records += 1
        return Arrived(UUID(int=self._records), statement.ts, statement)

    def _statement(self, kind: str, ts: datetime) -> Statement:
        match kind:
            case "opt_in":
                return self._opt_in(ts)
            case "opt_out":
                return self._refusal(ts, Action.OPT_OUT)
            case "declined":
                return self._refusal(ts, Action.DECLINED_OPT_IN)
            case "object":
                return self._refusal(ts, Action.OBJECT)
            case "complaint":
                return Statement(ts=ts, channel=RecordChannel.EMAIL, action=Action.COMPLAINT, purpose="marketing")
            case "call_attempt":
                return Statement(ts=ts, channel=RecordChannel.PHONE, action=Action.CALL_ATTEMPT)
            case "purchase":
                return Statement(
                    ts=ts,
                    channel=RecordChannel.EMAIL if self._happens(0.9) else RecordChannel.PHONE,
                    purpose="contract",
                    action=Action.PURCHASE,
                    optout_offered_at_collection=ts >= OFFERED_SINCE,
                )
            case _:
                return Statement(ts=ts, channel=RecordChannel.EMAIL, action=Action(kind), purpose="contract")

    def _opt_in(self, ts: datetime) -> Statement:
        point = POINTS.pick(self._random)
        return Statement(
            ts=ts,
            channel=point.channel,
            action=Action.OPT_IN,
            purpose=point.purpose.value,
            method=point.method,
            evidence="form and wording" if point.proven else UNSET,
            notice_version=f"v{bisect_right(NOTICES, ts)}" if point.informed else None,
            incentive=point.incentive,
            unbundled=point.unbundled,
            expires_at=None if point.lasts is None else ts + point.lasts,
        )

    def _refusal(self, ts: datetime, action: Action) -> Statement:
        everywhere = self._happens(0.15)
        return Statement(
            ts=ts,
            channel=RecordChannel.ANY if everywhere else REFUSED.pick(self._random),
            purpose="marketing" if self._happens(0.9) else "any",
            action=action,
            method=OPT_OUT_METHODS.pick(self._random),
            scope="global" if everywhere else None,
        )

    def _ago(self, most: int) -> datetime:
        return AT - timedelta(seconds=self._random.randrange(most * 86_400))

    def _since(self, joined: datetime, mean: int) -> datetime:
        """Return an instant after `joined`, more likely a recent one: so many days ago in the mean."""
        return max(joined, AT - timedelta(days=self._random.expovariate(1 / mean)))

    def _happens(self, share: float) -> bool:
        return self._random.random() < share
