from collections.abc import Mapping, Sequence
from uuid import UUID

from service.kernel import Caller, Clock, Handle, NewId, SubjectId
from service.reveals.domain import Revealed, Shown, Wish
from service.reveals.ports import Nonce, RevealLog
from service.reveals.usecases import given, refuse_outsiders
from service.vault import OpenValues


class Disclose:
    """Read values of people for a purpose of officers, after a second person agreed, and leave a trace of each."""

    def __init__(self, open_values: OpenValues, log: RevealLog, clock: Clock, new_id: NewId, nonce: Nonce) -> None:
        self._open_values = open_values
        self._log = log
        self._clock = clock
        self._new_id = new_id
        self._nonce = nonce

    async def __call__(
        self,
        people: Mapping[Handle, SubjectId],
        fields: Sequence[str],
        purpose: str,
        approval: UUID,
        *,
        by: Caller,
    ) -> Mapping[Handle, Shown]:
        """Return what `by` may have of each person; who was erased is missing.

        Raises:
            OfficersOnly
            Unavailable, Unreadable: nothing was opened, or nothing is told of it.
        """
        refuse_outsiders(purpose, by)
        opening = await self._open_values(by.tenant, dict.fromkeys(people, tuple(fields)))
        now = self._clock()
        reveals: list[Revealed] = []
        told: dict[Handle, Shown] = {}
        for handle, subject in people.items():
            if handle in opening.erased:
                continue
            reveal, told[handle] = given(
                Wish(subject=subject, fields=tuple(fields), purpose=purpose),
                handle,
                None,
                opening.values[handle],
                opening.fields,
                frozenset({purpose}),
                at=now,
                by=by,
                id_=self._new_id(),
                nonce=self._nonce(),
                approval=approval,
            )
            reveals.append(reveal)
        await self._log.append(reveals, by=by)
        return told
