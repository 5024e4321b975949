"""A good token opens nothing for a tenant that the installation doesn't serve."""

from collections.abc import Iterable

import pytest

from service.kernel import Caller, TenantId, Unavailable
from service.web.problems import Refusal
from service.web.tenancy import TenantGate

ACME = TenantId("acme")


class Tokens:
    """Accepts every token, as one of `tenant`."""

    def __init__(self, tenant: TenantId = ACME, refusal: Refusal | None = None) -> None:
        self.tenant = tenant
        self.refusal = refusal

    async def caller(self, headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Caller:
        if self.refusal:
            raise self.refusal
        return Caller(tenant=self.tenant, actor="shop", request=request_id)


class Tenants:
    """Knows the tenants it is told of, and counts how often it is asked."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.asked = 0
        self.answers = True

    async def __call__(self, tenant: TenantId) -> bool:
        self.asked += 1
        if not self.answers:
            raise Unavailable("the database does not answer")
        return tenant in self.names


async def test_a_caller_of_a_known_tenant_passes_and_the_tenant_is_looked_up_once():
    tenants = Tenants("acme")
    gate = TenantGate(Tokens(), tenants)
    callers = [await gate.caller([], request) for request in ("r-1", "r-2")]

    assert [(caller.tenant, caller.request) for caller in callers] == [("acme", "r-1"), ("acme", "r-2")]
    assert tenants.asked == 1


async def test_a_caller_of_an_unknown_tenant_is_401_until_the_tenant_is_added():
    tenants = Tenants("other")
    gate = TenantGate(Tokens(), tenants)
    for _ in range(2):
        with pytest.raises(Refusal) as refusal:
            await gate.caller([], "r")
        assert refusal.value.code == "unauthenticated"
        assert refusal.value.headers == {"www-authenticate": 'Bearer error="invalid_token"'}
        assert "acme" not in refusal.value.detail
    tenants.names.add("acme")

    assert (await gate.caller([], "r")).tenant == "acme"
    assert tenants.asked == 3


async def test_what_nobody_could_say_is_not_remembered():
    tenants = Tenants("acme")
    tenants.answers = False
    gate = TenantGate(Tokens(), tenants)
    with pytest.raises(Unavailable):
        await gate.caller([], "r")
    tenants.answers = True

    assert (await gate.caller([], "r")).tenant == "acme"


async def test_nobody_asks_for_the_tenant_of_a_token_that_is_refused():
    tenants = Tenants("acme")
    gate = TenantGate(Tokens(refusal=Refusal("unauthenticated")), tenants)
    with pytest.raises(Refusal):
        await gate.caller([], "r")

    assert tenants.asked == 0
