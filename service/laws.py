"""Makes the laws that answer: the one that was shipped, and those that were activated since."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
from opapywasm import OpaWasmError
from sqlalchemy.ext.asyncio import AsyncEngine

from service import given
from service.db import answering
from service.decisions import DecisionUnavailable, Law, Memo, Policy, PolicyEngine
from service.decisions.artefacts import policy_of
from service.decisions.policy import policy_data
from service.decisions.revisions import LoadedLaws
from service.decisions.wasm import WasmPolicyEngine, embedded
from service.decisions.watched import WatchedEngine
from service.policies import Artefacts
from service.policies.store import SqlRevisionStore
from service.settings import Settings
from service.telemetry import Telemetry


@asynccontextmanager
async def policy_engine(settings: Settings, policy: Policy) -> AsyncIterator[PolicyEngine]:
    """Lend the engine that the settings name: an OPA server's, or the embedded one with the policy that was shipped."""
    if settings.opa_url:
        from service.decisions.opa import served  # brings HTTP clients along, which the embedded one needs not wait for

        async with served(settings.opa_url, policy, token=settings.opa_token) as remote:
            yield remote
        return
    local = embedded(given.BUILD, policy)
    try:
        yield local
    finally:
        local.close()


def activated_laws(
    shipped: PolicyEngine, stack: AsyncExitStack, settings: Settings, engine: AsyncEngine, telemetry: Telemetry
) -> LoadedLaws:
    """Return the laws; `stack` closes what they open later.

    An OPA server judges by the bundle that it was given: when another revision is
    activated, it must get that one too, and until then every decision is a 503 and a no.
    """

    async def stored(revision: str) -> Law:
        with answering():
            async with engine.connect() as connection:
                artefacts = await SqlRevisionStore(connection).find(revision)
        if artefacts is None:
            raise DecisionUnavailable("the active policy revision is not stored")
        policy = policy_in(artefacts, shipped.policy)
        if settings.opa_url:
            remote = await stack.enter_async_context(policy_engine(settings, policy))
            return law(remote, settings, telemetry)
        return law(await engine_of(artefacts, policy), settings, telemetry)

    return LoadedLaws(law(shipped, settings, telemetry), stored)


def policy_in(artefacts: Artefacts, shipped: Policy) -> Policy:
    """Return the policy of artefacts that came from elsewhere than this version.

    States are folded by the vocabulary that this version ships: by another one they would
    mean something else.

    Raises:
        DecisionUnavailable: they aren't what this version reads.
    """
    try:
        data = policy_data(artefacts.data)
        if (data.actions, data.methods) != (shipped.data.actions, shipped.data.methods):
            raise DecisionUnavailable(
                "the policy has other actions or methods than this version; it takes the release that ships them"
            )
        return policy_of(artefacts.revision, artefacts.data, artefacts.rules)
    except msgspec.MsgspecError as error:
        raise DecisionUnavailable("the data or the rules of the policy can't be read") from error


async def engine_of(artefacts: Artefacts, policy: Policy) -> PolicyEngine:
    """Return the embedded engine of artefacts.

    Raises:
        DecisionUnavailable: their module is none.
    """
    try:
        # Reading a module takes half a second, which the others need not wait for.
        return await asyncio.to_thread(WasmPolicyEngine, artefacts.module, artefacts.data, policy)
    except OpaWasmError as error:
        raise DecisionUnavailable("the module of the policy can't be loaded") from error


def law(judge: PolicyEngine, settings: Settings, telemetry: Telemetry) -> Law:
    """Return a law whose evaluations are told to `telemetry`."""
    watched = WatchedEngine(judge, "opa" if settings.opa_url else "wasm", telemetry)
    return Law(engine=watched, memo=Memo(watched))
