"""Everybody whom a tenant knows, on PostgreSQL. Ids come back as one joined string."""

from typing import Any, Final

import msgspec
from psycopg_pool import AsyncConnectionPool

from service.db import TENANT_SETTING, lease
from service.decisions.population import Population, Stretch
from service.kernel import SubjectId, TenantId
from service.wire import exchange

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"
_STRETCH: Final = """
    WITH stretch AS MATERIALIZED (
        SELECT subject, facts FROM subject
        WHERE tenant = %(tenant)s AND subject > %(after)s AND merged_at IS NULL
        ORDER BY subject LIMIT %(limit)s
    )
    SELECT max(subject), string_agg(subject, ',' ORDER BY subject) FILTER (WHERE NOT EXISTS (
        SELECT FROM json_array_elements(%(wanted)s::json) AS wanted (any_of) WHERE NOT EXISTS (
            SELECT FROM json_array_elements_text(any_of) AS said
            WHERE position(convert_to(said, 'UTF8') IN facts) > 0
        )
    ))
    FROM stretch
"""
"""Facts are looked through as the bytes they are, so that damaged ones fail nobody's list: a quotation mark within a
text has a backslash before it, so a member's name and value stand nowhere but at that member."""


class SqlPopulations:
    """Walks people, from a pool of the application role."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def stretch(
        self, tenant: TenantId, population: Population, *, after: SubjectId | None, limit: int
    ) -> Stretch:
        about: dict[str, Any] = {
            "tenant": tenant,
            "after": after or "",
            "limit": limit,
            "wanted": msgspec.json.encode(_wanted(population)).decode(),
        }
        async with lease(self._pool) as connection:
            _, [[last, subjects]] = await exchange(connection, [(_ENTER, about), (_STRETCH, about)])
        found = [SubjectId(each) for each in subjects.split(",")] if subjects else []
        return Stretch(subjects=found, last=last)


def _wanted(population: Population) -> list[list[str]]:
    """Return what has to stand in the facts: of each list, one."""
    wanted = []
    if population.residences is not None:
        wanted.append([f'"residence":"{place}{end}' for place in population.residences for end in ('"', "-")])
    if population.is_customer is not None:
        wanted.append([f'"is_customer":{"true" if population.is_customer else "false"}'])
    return wanted
