"""What an audience asks of the database."""

from typing import Protocol

from service.decisions.population import Population, Stretch
from service.kernel import SubjectId, TenantId


class Populations(Protocol):
    """Everybody whom a tenant knows, in the order of their ids."""

    async def stretch(
        self, tenant: TenantId, population: Population, *, after: SubjectId | None, limit: int
    ) -> Stretch:
        """Return those of a population who are among the next `limit` people. Aliases are left out.

        Raises:
            Unavailable
        """
        ...
