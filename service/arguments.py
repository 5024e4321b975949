"""What arguments of commands look like, where it takes more than a word or a number."""

import re
from datetime import timedelta
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
