"""Whatever comes in whatever order, nobody who was erased is contactable, or readable, by what others know of them."""

from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest

from service.audit import ContentExpired
from service.consent import Action, RecordIdReused
from service.erasures import Stage
from service.requests import handles_of
from service.requests.lifecycle import MoveNotAllowed
from service.subjects import AlreadyMerged, MergeWithItself, UnknownSubject
from service.vault import OpenValues, SubjectErased
from service.vault.envelope import unseal
from service.vault.values import Written
from tests.erasing import record

NAMES = ("ann", "bob", "cem", "dan")
DOINGS = ("import", "replay", "write", "write", "know", "merge", "ask", "erase", "run")
STEPS = 30


class World:
    """Lets others do what they do, and remembers who was erased, with which addresses."""

    def __init__(self, people, clock, tenant, chance):
        self.people = people
        self.clock = clock
        self.tenant = tenant
        self.chance = chance
        self.records = []
        self.requests = []
        self.erased = set()
        self.addresses = set()

    async def step(self):
        self.clock.advance(timedelta(minutes=1))
        what, name, other = self.chance.choice(DOINGS), self.chance.choice(NAMES), self.chance.choice(NAMES)
        await getattr(self, f"do_{what}")(name, other)

    async def do_import(self, name, other):
        """A system knows of a consent from before."""
        self.records.append(record(name))
        await self.people.say(self.records[-1])

    async def do_replay(self, name, other):
        """A queue delivers again what it delivered before."""
        for each in self.records:
            with suppress(ContentExpired, RecordIdReused):
                await self.people.say(each)

    async def do_write(self, name, other):
        """A system writes what it takes for somebody's address: their own, or another's."""
        address = f"{other}@mail.example"
        theirs = await self.addresses_of(name)
        written = isinstance(await self.people.write(name, "email#x" if name == other else "email", address), Written)
        assert not (written and name in self.erased)
        assert not (written and address in self.addresses - theirs)

    async def do_know(self, name, other):
        if name not in self.erased:
            await self.people.know(name)
            return
        with pytest.raises(SubjectErased):
            await self.people.know(name)

    async def do_merge(self, name, other):
        try:
            await self.people.merge(name, other)
        except SubjectErased:
            assert {name, other} & self.erased
        except (UnknownSubject, MergeWithItself, AlreadyMerged):
            pass
        else:
            assert not {name, other} & self.erased

    async def do_ask(self, name, other):
        with suppress(MoveNotAllowed):  # it joins one that is open
            self.requests.append(await self.people.ask(name))

    async def do_run(self, name, other):
        """The worker comes by."""
        while self.requests:
            request = self.requests.pop()
            async with self.people.begin(self.tenant) as tx:
                asked, _ = await tx.requests.find(request)
                handles = await handles_of(tx, asked.handle)
                names = {str(each) for handle in handles for each in await tx.subjects.aliases(handle)}
            found = await self.opened(handles)
            assert await self.people.run(request) is Stage.ENDED
            self.erased |= names
            self.addresses |= found
            assert await self.opened(handles) == set()

    async def do_erase(self, name, other):
        await self.do_ask(name, other)
        await self.do_run(name, other)

    async def addresses_of(self, name):
        handle = await self.people.handle(name)
        return set() if handle is None else await self.opened([handle])

    async def opened(self, handles):
        """Return every address that opens of some handles."""
        async with self.people.begin(self.tenant) as tx:
            names = {handle: {str(each.name) for each in await tx.values.of(handle)} for handle in handles}
        opening = await OpenValues(self.people.begin, self.people.keys, unseal, self.clock)(self.tenant, names)
        return {value.value for values in opening.values.values() for value in values.values()}

    async def check(self):
        for name in self.erased:
            handle = await self.people.handle(name)
            async with self.people.begin(self.tenant) as tx:
                acts = (await tx.states.read(handle)).acts
                assert await tx.subjects.versions([handle]) == {}
            ended = max(act.at for act in acts if act.signature.action is Action.ERASED)
            assert all(act.at < ended for act in acts if act.signature.action is Action.OPT_IN), name
            assert await self.opened([handle]) == set()


@pytest.mark.parametrize("seed", range(12))
async def test_nobody_who_was_erased_returns(people, clock, tenant, seed):
    world = World(people, clock, tenant, Random(seed))
    for _ in range(STEPS):
        await world.step()
        await world.check()
    await world.do_erase("ann", "ann")
    await world.check()
    assert world.erased
