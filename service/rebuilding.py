"""States, folded again from the records they amount to."""

from rich.console import Console
from rich.progress import Progress

from service import given
from service.bridges import known_tenant
from service.consent import RebuildState
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.kernel import TenantId
from service.operations import UnknownTenant, as_operator, tenant_named, tenants_of, transactions
from service.settings import Settings


async def rebuild_states(settings: Settings, name: str | None, check: bool, progress_on: Console) -> tuple[int, int]:
    """Fold every history again; return how many subjects were seen and how many states differed."""
    with migrated(settings) as urls:
        tenants = [tenant_named(name)] if name else [TenantId(known) for known in tenants_of(urls)]
        seen = differing = 0
        async with transactions(urls.app) as begin:
            if name and not await known_tenant(begin)(tenants[0]):
                raise UnknownTenant(f"there is no tenant {name}; `volens tenant list` shows them")
            rebuild = RebuildState(begin, read_policy(given.BUILD).vocabulary)
            with Progress(console=progress_on, transient=True, disable=not progress_on.is_terminal) as progress:
                for tenant in progress.track(tenants, description="tenants"):
                    rebuilt = await rebuild(check=check, by=as_operator(tenant))
                    seen += rebuilt.subjects
                    differing += rebuilt.differing
    return seen, differing
