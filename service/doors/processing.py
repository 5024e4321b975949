"""What the door of OpenDSR 2.0 answers with: every word of it signed by the operator's certificate."""

from service.doors.domain import Door, DoorClosed, Status, Tables
from service.doors.opendsr import (
    VERSION,
    DsrCancelled,
    DsrDiscovery,
    DsrReceipt,
    DsrRequest,
    DsrStatus,
    intake_of,
    receipt_of,
    stands,
    understood,
)
from service.doors.ports import Processor
from service.doors.usecases import ReadIntake, TakeBack, TakeIn
from service.kernel import Caller, Clock
from service.requests import State

PENDING = "pending"


class OpenDsr:
    """Answers controllers."""

    def __init__(
        self,
        processor: Processor | None,
        take_in: TakeIn,
        read: ReadIntake,
        take_back: TakeBack,
        tables: Tables,
        clock: Clock,
    ) -> None:
        """Without a `processor` the door is closed."""
        self._processor = processor
        self._take_in = take_in
        self._read = read
        self._take_back = take_back
        self._tables = tables
        self._clock = clock

    @property
    def processor(self) -> Processor:
        """Raises: DoorClosed"""
        if self._processor is None:
            raise DoorClosed("the operator has not set up OpenDSR")
        return self._processor

    def discovery(self) -> DsrDiscovery:
        """Raises: DoorClosed"""
        table = self._tables.opendsr
        return DsrDiscovery(
            api_version=VERSION,
            supported_identities=list(understood(table)),
            supported_subject_request_types=sorted(table.rights),
            processor_certificate=self.processor.certificate_url,
        )

    async def take(self, said: DsrRequest, body: bytes, *, by: Caller) -> DsrReceipt:
        """Raises: DoorClosed, IdentitiesUnusable, and what `TakeIn` raises: nothing was stored."""
        _ = self.processor
        status, _new = await self._take_in(intake_of(said, body, self._tables.opendsr), by=by)
        return receipt_of(status, body, by.tenant)

    async def status(self, reference: str, *, by: Caller) -> DsrStatus:
        """Raises: DoorClosed, IntakeUnknown"""
        return stands(await self._found(reference, by), by.tenant)

    async def cancel(self, reference: str, *, by: Caller) -> DsrCancelled:
        """Take a request back that is still pending.

        Raises:
            DoorClosed, IntakeUnknown, IntakeUnderWay
        """
        status = await self._found(reference, by)
        words = self._tables.opendsr.words
        pending = [state for state in State if words.states[state] == PENDING]
        await self._take_back(status.taken.id, pending, by=by)
        return DsrCancelled(
            controller_id=by.tenant,
            received_time=self._clock(),
            subject_request_id=reference,
            api_version=VERSION,
        )

    async def _found(self, reference: str, by: Caller) -> Status:
        _ = self.processor
        return await self._read.by_reference(Door.OPENDSR, "", reference, by=by)
