"""The hot read sees everything that was acknowledged, and nothing of other tenants."""

import asyncio

import psycopg
import pytest

from service.consent import (
    EMPTY,
    OwnPurpose,
    Profile,
    PutPurpose,
    StateUnreadable,
    fold,
)
from service.consent.profiles import ProfileReader
from service.kernel import Caller, SubjectId, Unavailable
from service.subjects import NO_FACTS, NO_FLAGS, Flags, PutSubject
from tests.builders import GAZETTEER, VOCABULARY, a_submission, appending, some_facts

ANN, BEN = SubjectId("ann"), SubjectId("ben")


class Beside:
    """Reads the tenant's own name beside the profiles."""

    query = "SELECT current_setting('volens.tenant'), %(tenant)s::text"

    def decode(self, row: tuple[str, str]) -> str:
        assert row[0] == row[1]
        return row[0]


class Reader:
    """Only the profile, as most tests want it."""

    def __init__(self, reader: ProfileReader[str]) -> None:
        self.whole = reader
        self.maps_to = reader.maps_to

    async def read(self, tenant, subject):
        profile, beside = await self.whole.read(tenant, subject)
        assert beside == tenant
        return profile


@pytest.fixture
def profiles(pool) -> Reader:
    return Reader(ProfileReader(pool, Beside()))


@pytest.fixture
def append(begin, clock):
    store = appending(begin, clock)

    async def one(by: Caller, subject=ANN, **changes):
        submission = a_submission(subject, **{"ts": clock(), **changes})
        return (await store([submission], by=by)).records[0]

    return one


@pytest.fixture
def put(begin, clock):
    return PutSubject(begin, clock, GAZETTEER)


async def test_a_profile_joins_facts_and_state(profiles, append, put, caller, tenant):
    record = await append(caller)
    stored = await put(ANN, some_facts(), by=caller)

    profile = await profiles.read(tenant, ANN)
    assert profile == Profile(
        handle=stored.subject.handle,
        version=1,
        facts=some_facts(),
        state=fold(EMPTY, [record], VOCABULARY),
        secret=profile.secret,
    )
    assert (len(profile.secret), repr(profile.secret)) == (32, "Secret(hidden)")


async def test_facts_without_records_and_records_without_facts_are_profiles_too(profiles, append, put, caller, tenant):
    await put(ANN, some_facts(), by=caller)
    await append(caller, BEN)

    assert (await profiles.read(tenant, ANN)).state == EMPTY
    ben = await profiles.read(tenant, BEN)
    assert (ben.version, ben.facts) == (0, NO_FACTS)


async def test_a_flag_is_seen_by_the_very_next_read(profiles, append, begin, caller, tenant):
    await append(caller)
    before = await profiles.read(tenant, ANN)
    async with begin(tenant) as tx:
        await tx.subjects.set_flags(before.handle, Flags(restricted=True))

    assert before.flags == NO_FLAGS
    assert (await profiles.read(tenant, ANN)).flags == Flags(restricted=True)


async def test_nobody_has_no_profile(profiles, tenant):
    assert await profiles.read(tenant, ANN) is None


async def test_a_withdrawal_is_seen_by_the_very_next_read(profiles, append, caller, tenant):
    await append(caller)
    before = await profiles.read(tenant, ANN)
    await append(caller, action="opt_out")
    after = await profiles.read(tenant, ANN)

    assert (len(before.state.acts), len(after.state.acts)) == (1, 2)


async def test_reads_of_one_turn_are_answered_apart(profiles, append, caller, tenant, add_tenant):
    other = add_tenant()
    stranger = Caller(tenant=other, actor="shop-backend", request="req-2")
    ours = await append(caller, ANN)
    await append(caller, BEN, action="opt_out")
    theirs = await append(stranger, ANN, action="object")

    ann, ben, nobody, again, elsewhere, unknown = await asyncio.gather(
        profiles.read(tenant, ANN),
        profiles.read(tenant, BEN),
        profiles.read(tenant, SubjectId("cem")),
        profiles.read(tenant, ANN),
        profiles.read(other, ANN),
        profiles.read(other, BEN),
    )

    assert [act.id for act in ann.state.acts] == [ours.id]
    assert ben.state.acts[0].signature.action == "opt_out"
    assert again == ann
    assert [act.id for act in elsewhere.state.acts] == [theirs.id]
    assert nobody is unknown is None


async def test_a_damaged_state_is_an_error_for_this_subject_alone(profiles, append, caller, tenant, database):
    await append(caller, ANN)
    await append(caller, BEN)
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            """
            UPDATE consent_state SET state = '{"acts":' WHERE tenant = %s AND handle =
            (SELECT handle FROM subject WHERE subject = 'ann' AND tenant = %s)
            """,
            (tenant, tenant),
        )
    ann, ben = await asyncio.gather(profiles.read(tenant, ANN), profiles.read(tenant, BEN), return_exceptions=True)

    assert isinstance(ann, StateUnreadable)
    assert len(ben.state.acts) == 1


@pytest.mark.parametrize(
    ("column", "damaged"),
    [
        ("facts", '{"residence":'),
        ("facts", '{"residence":7}'),
        ("facts", '{"no":"fact"}'),
        ("flags", ""),
        ("flags", '{"restricted":7}'),
        ("flags", '{"no":true}'),
    ],
)
async def test_damaged_facts_and_flags_are_an_error_for_this_subject_alone(
    profiles, append, caller, tenant, database, column: str, damaged: str
):
    await append(caller, ANN)
    await append(caller, BEN)
    with psycopg.connect(database.urls.admin) as connection:
        connection.execute(
            f"UPDATE subject SET {column} = convert_to(%s, 'UTF8') WHERE tenant = %s AND subject = 'ann'",
            (damaged, tenant),
        )
    ann, ben = await asyncio.gather(profiles.read(tenant, ANN), profiles.read(tenant, BEN), return_exceptions=True)

    assert isinstance(ann, StateUnreadable)
    assert len(ben.state.acts) == 1


async def test_purposes_of_one_tenant_mean_nothing_to_another(profiles, begin, clock, caller, tenant, add_tenant):
    await PutPurpose(begin, clock)(OwnPurpose(purpose="x-a", maps_to="marketing", title="A"), by=caller)

    assert await profiles.maps_to(tenant, "x-a") == "marketing"
    assert await profiles.maps_to(tenant, "x-b") is None
    assert await profiles.maps_to(add_tenant(), "x-a") is None


async def test_a_purpose_is_found_as_soon_as_it_is_registered(profiles, begin, clock, caller, tenant):
    assert await profiles.maps_to(tenant, "x-new") is None
    await PutPurpose(begin, clock)(OwnPurpose(purpose="x-new", maps_to="service", title="New"), by=caller)

    assert await profiles.maps_to(tenant, "x-new") == "service"


async def test_a_database_that_is_gone_is_unavailable(profiles, pool, tenant):
    await pool.close()

    with pytest.raises(Unavailable):
        await profiles.read(tenant, ANN)


async def test_a_history_that_says_the_same_again_and_again_reads_as_one_act(profiles, append, caller, tenant):
    for number in range(40):
        await append(caller, evidence=f"form {number}")

    assert len((await profiles.read(tenant, ANN)).state.acts) == 1


async def test_what_governs_a_tenant_is_told_without_a_subject_too(profiles, add_tenant):
    one, other = add_tenant(), add_tenant()

    assert await asyncio.gather(profiles.whole.governing(one), profiles.whole.governing(other)) == [one, other]
