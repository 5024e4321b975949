"""Whom an audience is drawn from."""

from collections.abc import Sequence

from msgspec import Struct

from service.kernel import SubjectId


class Population(Struct, frozen=True, kw_only=True):
    """Everybody, or those of whom all that is named is known to be so."""

    residences: tuple[str, ...] | None = None
    """Any of these; a country stands for its parts as well."""
    is_customer: bool | None = None


class Stretch(Struct, frozen=True, kw_only=True):
    """Some of a population, in the order of their ids."""

    subjects: Sequence[SubjectId]
    last: SubjectId | None
    """Whoever was looked at last; none where nobody is left."""
