"""What the hot read asks beside the profiles: which revision governs, and under which overlay."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from service.decisions import NO_OVERLAY, InForce, Overlay
from service.kernel import Unavailable

_overlay: Final = msgspec.json.Decoder(Overlay)
_REMEMBERED: Final = 1_000


class Governing:
    """Reads `InForce`. Bodies that were read before are not parsed again; which one counts is asked every time.

    `noted` is told of each revision that differs from the one before, which at first is the shipped one.
    """

    query: Final = """
        SELECT (SELECT revision FROM policy_activation ORDER BY id DESC LIMIT 1), own.version, own.body
        FROM (SELECT 1) AS always
        LEFT JOIN (
            SELECT version, body FROM policy_overlay WHERE tenant = %(tenant)s ORDER BY version DESC LIMIT 1
        ) AS own ON true
    """

    def __init__(self, noted: Callable[[str | None], None] = lambda _: None) -> None:
        self._noted = noted
        self._known: dict[bytes, Overlay] = {}
        self.revision: str | None = None
        """The last that was read; nothing as long as the one that this version ships was never replaced."""

    def decode(self, row: tuple[Any, ...]) -> InForce:
        """Return what governs.

        Raises:
            Unavailable: the overlay is damaged, without which nobody can say what the tenant forbids; or an
                activation vanished, which nothing of ours does.
        """
        revision, version, body = row
        if revision is None and self.revision is not None:
            raise Unavailable("the activation of the policy that governed is gone")
        if revision != self.revision:
            self.revision = revision
            self._noted(revision)
        if version is None:
            return InForce(revision=revision, version=0, overlay=NO_OVERLAY)
        known = self._known.get(body)
        if known is None:
            try:
                known = _overlay.decode(body)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise Unavailable("the overlay of the tenant is damaged") from error
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[body] = known
        return InForce(revision=revision, version=version, overlay=known)
