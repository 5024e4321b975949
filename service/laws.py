"""Makes the laws that answer: the one that was shipped, and those that were activated since."""

import asyncio
from contextlib import AsyncExitStack

import msgspec
from opapywasm import OpaWasmError
from sqlalchemy.ext.asyncio import AsyncEngine

from service.db import answering
from service.decisions import DecisionUnavailable, Law, Memo, Policy, PolicyEngine
from service.decisions.artefacts import policy_of
from service.decisions.opa import served
from service.decisions.revisions import LoadedLaws
from service.decisions.wasm import WasmPolicyEngine
from service.decisions.watched import WatchedEngine
from service.policies import Artefacts
from service.policies.store import SqlRevisionStore
from service.settings import Settings
from service.telemetry import Telemetry


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
        judge = await _engine(stack, settings, artefacts)
        telemetry.policy(revision)
        return law(judge, settings, telemetry)

    return LoadedLaws(law(shipped, settings, telemetry), stored)


async def _engine(stack: AsyncExitStack, settings: Settings, artefacts: Artefacts) -> PolicyEngine:
    policy = policy_in(artefacts)
    if settings.opa_url:
        return await stack.enter_async_context(served(settings.opa_url, policy, token=settings.opa_token))
    try:
        # Reading a module takes half a second, which the others need not wait for.
        return await asyncio.to_thread(WasmPolicyEngine, artefacts.module, artefacts.data, policy)
    except OpaWasmError as error:
        raise DecisionUnavailable("the active policy can't be loaded") from error


def policy_in(artefacts: Artefacts) -> Policy:
    """Return the policy of stored artefacts.

    Raises:
        DecisionUnavailable: they aren't what this version reads.
    """
    try:
        return policy_of(artefacts.revision, artefacts.data, artefacts.rules)
    except msgspec.MsgspecError as error:
        raise DecisionUnavailable("the active policy can't be read") from error


def law(judge: PolicyEngine, settings: Settings, telemetry: Telemetry) -> Law:
    """Return a law whose evaluations are told to `telemetry`."""
    watched = WatchedEngine(judge, "opa" if settings.opa_url else "wasm", telemetry)
    return Law(engine=watched, memo=Memo(watched))
