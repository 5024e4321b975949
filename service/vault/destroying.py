"""Forget a person: without the key, whatever is sealed under it is noise, in every process and at once."""

from service.audit import AuditEvent
from service.events import Event
from service.kernel import Caller, Clock, Handle
from service.vault.rotation_ports import Begin


class DestroyKey:
    """Destroy a person's key, and with it what leads to their values: the blind index, and tokens."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, handle: Handle, *, by: Caller) -> bool:
        """Return whether there was a key; again is safe.

        Waits for who is writing under it: what they store is unreadable by the time this returns, as is everything
        before it. Whoever comes later finds the mark. Needs no key ring: people can be forgotten while it is lost.
        Suppressions stay, for they are what keeps the person forgotten.
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            # First, for whoever writes holds the key: what they add to the index is there to be seen afterwards.
            was_there = await tx.keys.destroy_subject_key(handle, now)
            await tx.rotation.unlink(handle)
            if was_there:
                await tx.audit.append(
                    event=AuditEvent.VAULT_KEY_DESTROYED, object_id=str(handle), by=by, subject=handle
                )
                event = AuditEvent.VAULT_KEY_DESTROYED.value
                await tx.outbox.add([Event(type=event, object_id=str(handle), subject=handle, at=now)])
        return was_there
