"""What the law makes of a request: its dates, and what can follow."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from service.kernel import DomainError, SubjectId
from service.requests.case import Excess, Refusal, Request, Seen, Standing, needs_of, reckoned, standing_of
from service.requests.check import Calendar, UnknownZone
from service.requests.domain import Deadlines, NotInForce, UnknownPlace
from service.requests.lifecycle import Happened, Move, Needs, Progress, elapsed, possible, progress_of
from service.requests.periods import Period, Periods, Whose
from service.requests.rights import Entitlement, Frequency, Right, Rights, Use


class Statutes(Struct, frozen=True, kw_only=True):
    """The tables of the law, and the calendars by which it counts."""

    rights: Rights
    periods: Periods
    calendar: Calendar
    zones: frozenset[str]

    def check_seat(self, place: str, time_zone: str) -> None:
        """Refuse a place or a zone by which nobody can count.

        Raises:
            UnknownPlace, UnknownZone
        """
        try:
            self.calendar(place)
        except UnknownPlace as error:
            raise UnknownPlace("no calendar is known of this place", pointers=["/place"]) from error
        if time_zone not in self.zones:
            raise UnknownZone("there is no such time zone", pointers=["/time_zone"])

    def governing(self, residence: str | None, right: Right) -> tuple[str, bool]:
        """Return the law for a right of somebody who lives there, and whether it is only assumed."""
        law, assumed = self.rights.law_of(residence)
        self.rights.of(law, right)
        return law, assumed

    def entitlement(self, request: Request) -> Entitlement:
        return self.rights.of(request.law, request.right)

    def needs(self, request: Request) -> Needs:
        entitlement = self.entitlement(request)
        return needs_of(entitlement, self.rights.marking(entitlement), request.said.via)

    def period(self, request: Request) -> Period:
        """Return the period of the answer."""
        name = self.entitlement(request).periods(request.law)[0]
        return self.periods.of(name.law, name.request)

    def dates(self, request: Request, history: Sequence[Happened]) -> Deadlines:
        """Return every date of a request, from its receipt and its moves.

        Raises:
            NotInForce, NotExtendable, ReceiptOutOfRange
        """
        names = self.entitlement(request).periods(request.law)
        calendars = {Whose.PLACE: self.calendar(request.place), Whose.COUNTRY: self.calendar(request.place[:2])}
        return reckoned(request, history, [self.periods.of(name.law, name.request) for name in names], calendars)

    def in_force(self, request: Request) -> bool:
        try:
            self.dates(request, ())
        except NotInForce:
            return False
        return True

    def seen(self, request: Request, history: Sequence[Happened], subject: SubjectId | None, now: datetime) -> Seen:
        """Return a request as its receipt and its moves say it is."""
        entitlement, needs = self.entitlement(request), self.needs(request)
        progress = progress_of(history, needs)
        dates = self.dates(request, history)
        standing = standing_of(progress, dates, entitlement, self.rights.marking(entitlement), request.time_zone)
        return Seen(
            request=request,
            subject=subject,
            standing=standing,
            elapsed=elapsed(request.received_at, standing.due_at, now) if standing.open else None,
            progress=progress,
            dates=dates,
            history=history,
            entitlement=entitlement,
            moves=possible(progress, needs) - {Move.JOIN, Move.REOPEN},
            refusal=self._refusal(request, entitlement, history[-1]),
        )

    def shown(
        self,
        request: Request,
        standing: Standing,
        history: Sequence[Happened],
        subject: SubjectId | None,
        now: datetime,
    ) -> Seen:
        """Return a request as `seen` does; one that the tables of today don't take, as it was noted.

        So that a right or a ground that is no longer there hides no other request, nor this one.
        """
        try:
            return self.seen(request, history, subject, now)
        except DomainError as error:
            return Seen(
                request=request,
                subject=subject,
                odd=error.code,
                standing=standing,
                elapsed=elapsed(request.received_at, standing.due_at, now) if standing.open else None,
                progress=Progress(state=standing.state, version=standing.version),
                dates=Deadlines(due_on=standing.due_on),
                history=history,
                entitlement=None,
                moves=frozenset(),
                refusal=None,
            )

    def frequency(self, request: Request) -> Frequency | None:
        return self.rights.frequency(request.law, request.right)

    def excess(self, frequency: Frequency, counted: int) -> Excess:
        """Return what the law makes possible for a person who asked so often."""
        return Excess(
            counted=counted,
            months=frequency.months,
            free=frequency.free,
            exceeds=None if frequency.free is None else counted > frequency.free,
            refusals=frequency.refusals,
            fees=frequency.fees,
            article=frequency.article,
        )

    def _refusal(self, request: Request, entitlement: Entitlement, last: Happened) -> Refusal | None:
        if last.move is not Move.REFUSE:
            return None
        ground = self.rights.ground(request.law, entitlement, Use.REFUSAL, last.reason)
        return Refusal(reason=ground.id, article=ground.article, remedy=self.rights.remedy(request.law))
