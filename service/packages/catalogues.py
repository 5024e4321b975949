"""The words of packages, from `words/`, and instants as each language writes them."""

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

import msgspec
from babel import Locale
from babel.dates import format_datetime

from service.packages.domain import Language
from service.packages.wording import When, Words


@cache
def words_in(language: Language) -> Words:
    """Return the words of a language.

    Raises:
        OSError, msgspec.MsgspecError: its file is missing, or isn't one.
    """
    file = files("service.packages") / "words" / f"{language.value}.json"
    catalogue = msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]])
    return Words(language=language, catalogue=catalogue, when=_when(language))


def _when(language: Language) -> When:
    locale = Locale.parse(language.value)

    def when(at: datetime) -> str:
        return f"{format_datetime(at.astimezone(UTC), 'medium', locale=locale)} UTC"

    return when
