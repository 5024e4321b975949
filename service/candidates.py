"""Makes the policies that trials judge by: candidates, and what governed before them. None of them answers anybody."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from opapywasm import OpaWasmError
from sqlalchemy.ext.asyncio import AsyncEngine

from service.consent import Profile, Profiles, StateUnreadable
from service.db import answering
from service.decisions import DecisionUnavailable, InForce, Policy, PolicyData, Verdict
from service.decisions.artefacts import policy_of
from service.decisions.policy import policy_data
from service.decisions.wasm import VERDICT, WasmPolicyEngine
from service.kernel import SubjectId, TenantId
from service.policies import Artefacts
from service.policies.store import SqlRevisionStore
from service.trials import Candidate, RegoNotOffered, TrialUnusable
from service.trials.rego import compiled, refused

SHARE: Final = 0.5
"""Seconds that a candidate may take for one verdict. The law takes a thousandth."""
MEAN: Final = 0.02
"""Seconds that it may take for one of many."""
PATIENCE: Final = 5.0
"""Seconds that it may take beyond that, on a machine that has much to do."""


class Bench:
    """Builds candidates on the revisions that there are: the shipped one, and those that are stored."""

    def __init__(self, policies: Path, opa: Path | None, engine: AsyncEngine) -> None:
        self._policies = policies
        self._build = policies / "build"
        self._opa = opa
        self._engine = engine
        self._compiling = asyncio.Semaphore(1)

    @asynccontextmanager
    async def opened(self, revision: str, candidate: Candidate) -> "AsyncIterator[Tried]":
        """Lend the policy that `candidate` makes of a revision.

        Raises:
            CandidateRefused, TrialUnusable, RegoNotOffered: there is no such policy.
            DecisionUnavailable: the revision isn't there any more.
        """
        artefacts = await self._artefacts(revision)
        if candidate.modules:
            artefacts = await self._with_modules(artefacts, candidate.modules)
        judge = await asyncio.to_thread(_engine, artefacts, candidate)
        try:
            yield Tried(judge)
        finally:
            judge.close()

    async def stated(self, revision: str) -> PolicyData | None:
        """Return the data that facts were stated with under a revision; nothing where it isn't there any more."""
        try:
            return policy_data((await self._artefacts(revision)).data)
        except (DecisionUnavailable, msgspec.MsgspecError):
            return None

    async def _artefacts(self, revision: str) -> Artefacts:
        if revision == self._shipped():
            return await asyncio.to_thread(self._read, revision)
        with answering():
            async with self._engine.connect() as connection:
                found = await SqlRevisionStore(connection).find(revision)
        if found is None:
            raise DecisionUnavailable("the policy revision is not stored")
        return found

    def _shipped(self) -> str:
        return (self._build / "revision").read_text().strip()

    def _read(self, revision: str) -> Artefacts:
        names = {"module": "policy.wasm", "data": "data.json", "rules": "rules.json"}
        return Artefacts(revision=revision, **{kind: (self._build / name).read_bytes() for kind, name in names.items()})

    async def _with_modules(self, artefacts: Artefacts, modules: Mapping[str, str]) -> Artefacts:
        if self._opa is None:
            raise RegoNotOffered("candidate Rego needs VOLENS_OPA_BINARY", pointers=["/modules"])
        if artefacts.revision != self._shipped():
            raise TrialUnusable(
                "files of Rego can be tried on the policy that this version ships, and another governs",
                pointers=["/modules"],
            )
        catalogue = {row["id"]: row for row in _decoded((self._policies / "catalogue.json").read_bytes())}
        async with self._compiling:
            built = await asyncio.to_thread(
                compiled,
                self._opa,
                (self._build / "bundle.tar.gz").read_bytes(),
                self._policies / "schemas",
                modules,
                VERDICT,
                frozenset(catalogue),
            )
        notes = {note["id"]: note for note in _decoded(artefacts.rules)}
        for rule, line in built.rules.items():
            notes.setdefault(rule, _note(catalogue[rule], line))
        return replace(artefacts, module=built.module, rules=msgspec.json.encode(list(notes.values())))


class Tried:
    """A policy that judges in a thread of its own, so that requests are answered meanwhile."""

    def __init__(self, engine: WasmPolicyEngine) -> None:
        self._engine = engine

    @property
    def policy(self) -> Policy:
        return self._engine.policy

    async def verdicts(self, facts: Sequence[bytes]) -> Sequence[Verdict]:
        """Return the verdict on each of `facts`.

        Raises:
            DecisionUnavailable: on one of them there is none.
        """

        stop = False

        async def all_of_them() -> list[Verdict]:
            given: list[Verdict] = []
            started = time.perf_counter()
            for each in facts:
                if stop:
                    break
                if time.perf_counter() - started > PATIENCE + MEAN * len(facts):
                    raise DecisionUnavailable("the candidate needs more than its share of time")
                given.append(await self._engine.evaluate(each))
            return given

        judging = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(all_of_them())))
        try:
            return await asyncio.shield(judging)
        except asyncio.CancelledError:
            # Whoever closes the engine next must not find the thread inside it.
            stop = True
            await asyncio.wait({judging})
            raise


class ReadPeople:
    """Reads people as checks do, many at a time."""

    def __init__(self, profiles: Profiles[InForce]) -> None:
        self._profiles = profiles

    async def profiles(self, tenant: TenantId, subjects: Sequence[SubjectId]) -> Sequence[Profile | None]:
        """Return the profile of each of `subjects`; nothing for one who is gone, or whose state can't be read."""
        return await asyncio.gather(*(self._one(tenant, subject) for subject in subjects))

    async def _one(self, tenant: TenantId, subject: SubjectId) -> Profile | None:
        try:
            return (await self._profiles.read(tenant, subject))[0]
        except StateUnreadable:
            return None


def _engine(artefacts: Artefacts, candidate: Candidate) -> WasmPolicyEngine:
    root = msgspec.json.decode(artefacts.data, type=dict[str, Any])
    root["volens"] |= candidate.tables
    data = msgspec.json.encode(root, order="sorted")
    try:
        policy = policy_of(artefacts.revision, data, artefacts.rules)
    except msgspec.MsgspecError as error:
        raise TrialUnusable("the tables don't fit together", pointers=["/tables"]) from error
    try:
        return WasmPolicyEngine(artefacts.module, data, policy, limit=SHARE)
    except OpaWasmError as error:
        raise refused([(file, "makes no module that can run here") for file in candidate.modules]) from error


def _note(row: Mapping[str, Any], line: int) -> dict[str, Any]:
    """Describe a rule that was in no file before, in the words of the catalogue."""
    told = {name: row[name] for name in ("id", "title", "citation", "regime", "confidence")}
    return {**told, "stage": 0, "file": "candidate", "line": line}


def _decoded(rows: bytes) -> list[dict[str, Any]]:
    return msgspec.json.decode(rows, type=list[dict[str, Any]])
