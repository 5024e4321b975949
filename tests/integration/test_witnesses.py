"""Witnesses cosign what the log signs: one on the code of Go, and others that fail in every way they can."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import psycopg
import pytest
from aiohttp import web

from service.audit import AuditEvent, Draft
from service.audit.asked import poster
from service.audit.attesting_ports import Refused, Silent
from service.audit.attesting_store import SqlLogs
from service.audit.cosigning import AskWitness, name_of
from service.audit.findings import Kind, Wrong
from service.audit.growing import GrowTree
from service.audit.notes import COSIGNER, LOG, Checkpoint, Key
from service.audit.quorum import Witness
from service.audit.signing import checkpoint_text, cosign, signed, verifier_key
from service.audit.tree_store import growing
from tests.audited import a_signer
from tests.integration.growing_child import NAME
from tests.witnessing import answering, cosignature, go_witness, policy_of

THEIRS = a_signer("witness.example/faulty", COSIGNER, seed=9)


@pytest.fixture
def grow(worker_pool, log_keys, published, clock):
    return GrowTree(NAME, growing(worker_pool), log_keys.signer, published, clock, batch=100)


@pytest.fixture
async def post() -> AsyncIterator:
    async with aiohttp.ClientSession() as session:
        yield poster(session)


@pytest.fixture
def logs(worker_pool) -> SqlLogs:
    return SqlLogs(worker_pool)


@pytest.fixture
def now(clock):
    """The clock of the machine, by which a real witness goes."""
    from service.given import utc_now

    clock.now = utc_now()
    return utc_now


@pytest.fixture
def add(begin, caller, grow):
    async def add(number: int) -> None:
        async with begin(caller.tenant) as tx:
            drafts = [Draft(event=AuditEvent.RECORD_STORED, object_id=f"r-{each}") for each in range(number)]
            await tx.audit.append_many(drafts, by=caller)
        while await grow(caller.tenant):
            pass

    return add


@pytest.fixture
def served(begin, caller):
    """What the application hands out."""

    async def served(size: int | None = None, cosigners: int = 0) -> str | None:
        async with begin(caller.tenant) as tx:
            return await tx.tree.checkpoint(size, cosigners)

    return served


def log_key(log_keys, tenant) -> Key:
    return Key(f"{NAME}/{tenant}", LOG, log_keys.public[-1])


def known(log_keys, tenant, *witnesses: Witness):
    return {(key.name, key.id): key for key in [log_key(log_keys, tenant), *(witness.key for witness in witnesses)]}


async def test_a_witness_cosigns_a_log_as_it_grows(add, logs, post, now, log_keys, caller, served):
    with go_witness(verifier_key(log_key(log_keys, caller.tenant))) as witness:
        ask = AskWitness(witness, logs, post, now)
        seen = 0
        for number in (1, 99, 300, 7):
            await add(number)
            [due] = [due for due in await logs.unseen(name_of(witness.key)) if due.tenant == caller.tenant]
            assert due.seen == seen
            seen = await ask(caller.tenant, due.seen)

        assert seen == 407
        assert caller.tenant not in {due.tenant for due in await logs.unseen(name_of(witness.key))}
        checkpoint = Checkpoint.parse(await served())
        assert len(checkpoint.note.signatures) == 2
        policy_of(witness).verify(checkpoint)
        at = checkpoint.verify(known(log_keys, caller.tenant, witness))
        assert at is not None
        assert abs(at - now().timestamp()) < 60


async def test_one_that_knows_more_than_we_remember_is_asked_from_there(add, logs, post, now, log_keys, caller, served):
    with go_witness(verifier_key(log_key(log_keys, caller.tenant))) as witness:
        ask = AskWitness(witness, logs, post, now)
        await add(5)
        await ask(caller.tenant, 0)
        await add(300)

        assert await ask(caller.tenant, 0) == 305, "it answers 409 with its size"
        assert await ask(caller.tenant, 3) == 305, "and again, though it has seen this very tree"


async def test_the_checkpoint_that_enough_witnesses_cosigned_is_handed_out(
    add, logs, post, now, log_keys, caller, served
):
    key = verifier_key(log_key(log_keys, caller.tenant))
    with go_witness(key) as one, go_witness(key, name="witness.example/other", seed="08" * 32) as other:
        await add(3)
        await AskWitness(one, logs, post, now)(caller.tenant, 0)
        await AskWitness(other, logs, post, now)(caller.tenant, 0)
        await add(3)
        await AskWitness(one, logs, post, now)(caller.tenant, 3)
        await add(3)

    sizes = [Checkpoint.parse(await served(None, cosigners)).size for cosigners in range(3)]
    assert sizes == [9, 6, 3]
    assert await served(None, 3) is None
    assert (await served(6, 2), await served(3, 2)) == (None, await served(3))


async def test_a_witness_that_does_not_know_the_log_or_its_key_refuses(add, logs, post, now, log_keys, caller):
    await add(1)
    with go_witness() as stranger, go_witness(verifier_key(a_signer(f"{NAME}/{caller.tenant}").key)) as misled:
        with pytest.raises(Refused, match="doesn't know this log"):
            await AskWitness(stranger, logs, post, now)(caller.tenant, 0)
        with pytest.raises(Refused, match="doesn't know the key"):
            await AskWitness(misled, logs, post, now)(caller.tenant, 0)


async def test_another_tree_is_found_by_a_witness_who_saw_the_first(add, logs, post, now, log_keys, caller):
    """Somebody with the key signs another history, and shows it to the witness before we come."""
    with go_witness(verifier_key(log_key(log_keys, caller.tenant))) as witness:
        ask = AskWitness(witness, logs, post, now)
        origin = f"{NAME}/{caller.tenant}"
        forged = signed(checkpoint_text(origin, 4, bytes(32)), [log_keys.signer(origin)])
        answer = await post(f"{witness.url}/add-checkpoint", "text/plain", f"old 0\n\n{forged}".encode())
        assert answer.status == 200

        for entries, why in ((3, "set back"), (1, "saw another tree of 4"), (5, "doesn't go on")):
            await add(entries)
            with pytest.raises(Refused, match=why) as refused:
                await ask(caller.tenant, 0)
            assert refused.value.fork


async def asked(add, logs, post, clock, caller, answers) -> int:
    await add(1)
    async with answering(answers) as url:
        return await AskWitness(Witness("faulty", THEIRS.key, url), logs, post, clock)(caller.tenant, 0)


async def test_lines_of_others_in_an_answer_are_ignored(add, logs, post, clock, caller, served):
    at = clock()
    stranger = a_signer("stranger.example", COSIGNER, seed=77)

    def answers(request: str) -> web.Response:
        return web.Response(text=cosignature(request, stranger, at) + cosignature(request, THEIRS, at))

    assert await asked(add, logs, post, clock, caller, answers) == 1
    note = Checkpoint.parse(await served()).note
    assert [name for name, _, _ in note.signatures][1:] == [THEIRS.key.name]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: "", "no signature by its key"),
        (lambda line: "nonsense\n", "no signature by its key"),
        (lambda line: line[:-6] + ("AAAA" if line[-6:-2] != "AAAA" else "BBBB") + line[-2:], "no signature by its key"),
        (lambda line: line.rstrip("\n"), "no signature by its key"),
    ],
)
async def test_an_answer_without_a_true_line_is_kept_nowhere(add, logs, post, clock, caller, served, change, why):
    at = clock()

    with pytest.raises(Refused, match=why):
        await asked(
            add, logs, post, clock, caller, lambda request: web.Response(text=change(cosignature(request, THEIRS, at)))
        )
    assert len(Checkpoint.parse(await served()).note.signatures) == 1


@pytest.mark.parametrize("off", [timedelta(minutes=-6), timedelta(minutes=6), timedelta(days=400_000)])
async def test_a_witness_whose_clock_is_far_off_is_refused(add, logs, post, clock, caller, served, off):
    at = clock() + off

    with pytest.raises(Refused, match="its clock"):
        await asked(add, logs, post, clock, caller, lambda request: web.Response(text=cosignature(request, THEIRS, at)))
    assert len(Checkpoint.parse(await served()).note.signatures) == 1


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, "", Refused),
        (302, "", Refused),
        (429, "", Silent),
        (500, "", Silent),
        (503, "", Silent),
        (409, "many\n", Silent),
        (409, "-1\n", Silent),
        (409, "0\n", Refused),
        (409, "7\n", Refused),
        (422, "", Refused),
        (200, "x" * 100_000, Silent),
    ],
)
async def test_what_it_can_answer_besides(add, logs, post, clock, caller, status, body, error):
    def answers(request: str) -> web.Response:
        return web.Response(status=status, text=body, headers={"location": "/elsewhere"} if status == 302 else {})

    with pytest.raises(error):
        await asked(add, logs, post, clock, caller, answers)


async def test_nobody_else_is_asked_than_who_was_named(add, logs, post, clock, caller, served):
    await add(1)
    async with answering(lambda asked: web.Response(text=cosignature(asked, THEIRS, clock()))) as elsewhere:
        moved = {"location": f"{elsewhere}/add-checkpoint"}
        async with answering(lambda asked: web.Response(status=307, headers=moved)) as url:
            with pytest.raises(Refused, match="it answered 307"):
                await AskWitness(Witness("faulty", THEIRS.key, url), logs, post, clock)(caller.tenant, 0)


async def test_a_witness_with_two_keys_counts_once(add, logs, clock, caller, served):
    await add(1)
    log = logs.of(caller.tenant)
    for key in ("w.example+00000001", "w.example+00000002"):
        await log.cosigned(1, key, "— w.example AAAA\n", clock())
    assert await served(None, 1) is not None
    assert await served(None, 2) is None
    await log.cosigned(1, "v.example+00000001", "— v.example AAAA\n", clock())
    assert await served(None, 2) is not None


async def test_one_whose_size_changes_at_each_answer_is_left_alone(add, logs, post, clock, caller):
    await add(9)
    asked_from = []

    def answers(request: str) -> web.Response:
        asked_from.append(int(request.partition("\n")[0].removeprefix("old ")))
        return web.Response(status=409, text=f"{asked_from[-1] + 1}\n")

    async with answering(answers) as url:
        with pytest.raises(Silent):
            await AskWitness(Witness("faulty", THEIRS.key, url), logs, post, clock)(caller.tenant, 0)
    assert asked_from == [0, 1, 2]


async def test_one_that_never_answers_is_not_waited_for(add, logs, clock, caller, monkeypatch):
    monkeypatch.setattr("service.audit.asked.LIMIT", 0.3)

    async def answers(request: str) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with aiohttp.ClientSession() as session:
        with pytest.raises(Silent):
            await asyncio.wait_for(asked(add, logs, poster(session), clock, caller, answers), 5)


async def test_nobody_is_asked_about_a_halted_log(add, logs, worker_pool, clock, caller):
    await add(2)
    key = name_of(THEIRS.key)
    for due in (await logs.unseen(key), await logs.unstamped(clock())):
        assert caller.tenant in {each.tenant for each in due}
    async with growing(worker_pool)(caller.tenant) as log:
        await log.hold()
        await log.halt("a test says so")

    assert caller.tenant not in {due.tenant for due in await logs.unseen(key)}
    assert caller.tenant not in {due.tenant for due in await logs.unstamped(clock())}


async def test_what_a_witness_said_stays(add, logs, clock, caller, database, served):
    await add(1)
    log = logs.of(caller.tenant)
    await log.cosigned(1, "w+00000000", "— w AAAA\n", clock())
    await log.cosigned(1, "w+00000000", "— another\n", clock())

    assert (await served()).endswith("— w AAAA\n")
    for change in ("UPDATE audit_cosignature SET line = ''", "DELETE FROM audit_cosignature"):
        with psycopg.connect(database.urls.owner) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(change)


async def test_a_checkpoint_that_too_few_cosigned_does_not_meet_the_policy(log_keys, caller):
    origin = f"{NAME}/{caller.tenant}"
    note = signed(checkpoint_text(origin, 4, bytes(32)), [log_keys.signer(origin)])
    one, other = (Witness(f"w{seed}", a_signer(f"w{seed}.example", COSIGNER, seed=seed).key, None) for seed in (1, 2))
    cosigned = cosign(note, a_signer("w1.example", COSIGNER, seed=1), 5)

    policy_of(one, other, quorum="any").verify(Checkpoint.parse(cosigned))
    for text, quorum in ((cosigned, "2"), (note, "any")):
        with pytest.raises(Wrong) as wrong:
            policy_of(one, other, quorum=quorum).verify(Checkpoint.parse(text))
        assert wrong.value.kind is Kind.UNWITNESSED
    false = cosigned[:-8] + ("AAAA" if cosigned[-8:-4] != "AAAA" else "BBBB") + cosigned[-4:]
    with pytest.raises(Wrong) as wrong:
        policy_of(one, other, quorum="any").verify(Checkpoint.parse(false))
    assert wrong.value.kind is Kind.SIGNATURE
