"""What arguments of commands look like, where it takes more than a word or a number."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click


class Span(click.ParamType[timedelta]):
    """A length of time: a number and one of s, m, h, d."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        if not (found := re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", value)):
            self.fail(f"{value!r} is no span such as 90s, 15m, 1h or 7d", param, ctx)
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
        return timedelta(**{unit: int(found[1])})


class Places(click.ParamType[frozenset[str]]):
    """Codes of places with commas between."""

    name = "places"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        if isinstance(value, frozenset):
            return value
        places = frozenset(value.split(","))
        if not all(re.fullmatch(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", place) for place in places):
            self.fail(f"{value!r} is no list of places such as DE or DE,US-CA", param, ctx)
        return places


class Instant(click.ParamType[datetime]):
    """A day, which begins in UTC, or an instant with an offset."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no instant such as 2026-11-01 or 2026-11-01T09:00:00+01:00", param, ctx)
        if found.tzinfo is None and len(value) > len("2026-11-01"):
            self.fail(f"{value!r} has no offset: nobody can say when that was", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


class NamedFile(click.ParamType[tuple[str, Path]]):
    """A file, and what it is the new content of."""

    name = "name=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, equals, file = value.partition("=")
        if not (name and equals and Path(file).is_file()):
            self.fail(f"{value!r} is not NAME=FILE, or there is no such file", param, ctx)
        return name, Path(file)


class Asked(click.ParamType[dict[str, str]]):
    """A channel and a purpose."""

    name = "channel:purpose"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        channel, colon, purpose = value.partition(":")
        if not (channel and colon and purpose):
            self.fail(f"{value!r} is no question such as email:marketing", param, ctx)
        return {"channel": channel, "purpose": purpose}
