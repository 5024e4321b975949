"""A time-stamp authority says when it saw what a log had signed."""

from service.audit.attesting_ports import Logs, Post, Refused, Stamper
from service.audit.cosigning import OK
from service.audit.findings import Wrong
from service.audit.notes import Checkpoint
from service.audit.timestamps import stamped
from service.kernel import TenantId


class StampTree:
    """Have what a log signed last time-stamped."""

    def __init__(self, url: str, logs: Logs, post: Post, stamper: Stamper) -> None:
        self._url = url
        self._logs = logs
        self._post = post
        self._stamper = stamper

    async def __call__(self, tenant: TenantId) -> int:
        """Return the size of the tree that was stamped. A token that doesn't hold is not kept.

        Raises:
            Refused, Silent, Unavailable
        """
        log = self._logs.of(tenant)
        note = await log.newest()
        if note is None:
            return 0
        checkpoint = Checkpoint.parse(note)
        message = stamped(checkpoint)
        request, nonce = self._stamper.request(message)
        answer = await self._post(self._url, self._stamper.media_type, request)
        answer.refuse_silence()
        if answer.status != OK:
            raise Refused(f"it answered {answer.status}")
        try:
            at = self._stamper.judge(answer.body, message, nonce)
        except Wrong as wrong:
            raise Refused(f"its time-stamp doesn't hold: {wrong}") from None
        await log.stamped(checkpoint.size, answer.body, at)
        return checkpoint.size
