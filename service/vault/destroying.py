"""Forget a person: without the key, whatever is sealed under it is noise, in every process and at once.

And without the secret, what the audit log committed to can be neither shown nor guessed. The log stays as it is.
"""

from service.audit import AuditEvent, Draft
from service.events import Event
from service.kernel import Caller, Clock, Handle
from service.vault.rotation_ports import Begin


class DestroyKey:
    """Destroy a person's key and secret, and with them what leads to their values: the blind index, and tokens."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, handle: Handle, *, by: Caller) -> bool:
        """Return whether there was a key; again is safe. The log gets an entry for each handle that they had.

        Waits for who is writing under it: what they store is unreadable by the time this returns, as is everything
        before it. Whoever comes later finds the mark. Needs no key ring: people can be forgotten while it is lost.
        Suppressions stay, for they are what keeps the person forgotten.
        """
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            # First, for whoever writes holds the key: what they add to the index is there to be seen afterwards.
            was_there = await tx.keys.destroy_subject_key(handle, now)
            await tx.rotation.unlink(handle)
            gone = set(await tx.audit.destroy_secrets(handle))
            if was_there:
                gone.add(handle)
            event = AuditEvent.VAULT_KEY_DESTROYED
            await tx.audit.append_many(
                [Draft(event=event, object_id=str(each), subject=each) for each in sorted(gone)], by=by
            )
            if gone:
                await tx.outbox.add([Event(type=event.value, object_id=str(handle), subject=handle, at=now)])
        return was_there
