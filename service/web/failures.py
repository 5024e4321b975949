"""How often tokens were refused, and why: counted in memory, since a flood must cost nothing but that.

Only a good signature says for whom a token speaks, so only such a token is counted for a tenant. All others are
nobody's: strangers can't write to anybody's log, and show in the metrics alone.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from service.kernel import Clock, TenantId

MOST: Final = 1_000
"""Counts that are kept for tenants at once. An issuer that names ever more of them is counted for none."""


class Why(StrEnum):
    """Why a token was refused."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    AUDIENCE = "audience"
    TENANT = "tenant"
    """It speaks for a tenant that is none of ours, or that its issuer may not speak for."""


Failed = Callable[[Why, TenantId | None], None]
"""Is told of a refused token; of whose, if its signature was good."""


class Refused(Struct, frozen=True):
    """What is counted together."""

    tenant: TenantId
    why: Why
    minute: datetime


class FailureCounts:
    """Counts refused tokens by tenant, reason and minute, until they are taken."""

    def __init__(self, clock: Clock, seen: Callable[[str], None]) -> None:
        """`seen` is told the reason of each, whoever's it is: the metrics."""
        self._clock = clock
        self._seen = seen
        self._counts: Counter[Refused] = Counter()

    def __call__(self, why: Why, tenant: TenantId | None) -> None:
        self._seen(why.value)
        if tenant is None:
            return
        refused = Refused(tenant, why, self._clock().replace(second=0, microsecond=0))
        if refused in self._counts or len(self._counts) < MOST:
            self._counts[refused] += 1

    def take(self) -> Mapping[Refused, int]:
        """Return what was counted, and begin anew."""
        taken, self._counts = self._counts, Counter()
        return taken

    def give_back(self, counts: Mapping[Refused, int]) -> None:
        """Count on from what was taken and could not be told, as far as there is room."""
        for refused, count in counts.items():
            if refused in self._counts or len(self._counts) < MOST:
                self._counts[refused] += count
