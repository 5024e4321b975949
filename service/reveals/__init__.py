"""Reading the vault in plain: decide first, open then, and leave a trace before anything is told."""

from service.reveals.domain import RevealDenied, Revealed, Wish
from service.reveals.ports import RevealLog
from service.reveals.usecases import Reveal

__all__ = ["Reveal", "RevealDenied", "RevealLog", "Revealed", "Wish"]
