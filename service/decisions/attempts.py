"""How often somebody was tried of late. What too often means is for the policy."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from service.consent import Act
from service.decisions.clocks import later_by
from service.decisions.policy import Bands

SPANS: Final = {"h24": timedelta(days=1), "d30": timedelta(days=30)}


def counting(attempts: Iterable[Act], channel: str, bands: Bands) -> Mapping[str, tuple[datetime, ...]]:
    """Return, for each span, the attempts on `channel` and on those that the law counts with it; no span for none."""
    tried = list(attempts)
    if not tried:
        return {}
    found = {}
    for span in bands.attempts:
        together = (channels for channels in bands.counted_together.get(span, ()) if channel in channels)
        channels = frozenset({channel, "any"}).union(*together)
        found[span] = tuple(sorted(act.at for act in tried if act.signature.channel in channels))
    return found


def counted(
    attempts: Mapping[str, tuple[datetime, ...]], bands: Bands, passed: Callable[[datetime], bool]
) -> dict[str, int]:
    """Return how many of them lie within each span, up to the most that any rule compares with."""
    if not attempts:
        return dict.fromkeys(bands.attempts, 0)
    return {
        span: min(most, sum(passed(at) and not passed(later_by(at, SPANS[span])) for at in attempts[span]))
        for span, most in bands.attempts.items()
    }
