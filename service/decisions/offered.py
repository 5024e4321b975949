"""Facts and verdicts that this process knows to be stored, and needn't offer again with each decision."""

import time
from collections.abc import Iterable
from typing import Final

from service.kernel import TenantId

REMEMBERED: Final = 100_000
"""Rows known to be stored; about ten megabytes. A row that was forgotten is offered again, which does nothing."""

FORGOTTEN_AFTER: Final = 3_600.0
"""Seconds. Retention takes facts that no decision points to, and none is younger than thirty days: what is remembered
here has one."""

Pair = tuple[TenantId, str, bytes]
"""Whose facts they are, the revision that judged them, and their hash."""


class Offered:
    """The pairs of facts and verdict that were stored in the last hour, as far as there is room."""

    def __init__(self) -> None:
        self._stored: dict[Pair, None] = {}
        self._since = time.monotonic()

    def __contains__(self, pair: Pair) -> bool:
        return pair in self._stored

    def remember(self, pairs: Iterable[Pair]) -> None:
        """Remember what a transaction that is over has stored."""
        if len(self._stored) > REMEMBERED or time.monotonic() - self._since > FORGOTTEN_AFTER:
            self._stored.clear()
            self._since = time.monotonic()
        self._stored.update(dict.fromkeys(pairs))
