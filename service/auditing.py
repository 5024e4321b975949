"""`volens audit`: whether the log in the database is what was signed, and how it goes on after a loss."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from psycopg_pool import AsyncConnectionPool
from rich.console import Console

from service import attesting, db, operations, sequencer
from service.audit import AuditEvent
from service.audit.anchors import read_anchors
from service.audit.examining import Examined, ExamineLog
from service.audit.findings import Kind, Report, Wrong
from service.audit.growing import origin_of
from service.audit.log_keys import LogKeys, add_key
from service.audit.notes import LOG, Checkpoint, Key
from service.audit.ranges import lines_of
from service.audit.timestamps import Judge
from service.audit.tree_ports import KeyPurpose
from service.audit.tree_store import add_public_key, growing, public_keys, reading, with_tree
from service.committed import Committed, ExamineCommitted
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.given import BUILD, utc_now
from service.kernel import DomainError, TenantId
from service.own_files import FileUnusable
from service.postgres import DatabaseUrls
from service.progress import bar
from service.receipt_keys import receipt_keys_file
from service.settings import Settings
from service.standing import ExamineStanding


class NotHalted(DomainError):
    """The log goes on: there is nothing to recover from."""

    code = "not_halted"


class AnchorsBroken(DomainError):
    """A file of anchors doesn't hold together, or is of other logs."""

    code = "anchors_broken"


class Recovered(Struct, frozen=True, kw_only=True):
    """From where a log goes on."""

    tenant: str
    was: str
    """Why nothing was signed."""
    set_aside: str | None
    """The file with the newest checkpoint of what was lost."""


async def examine(
    settings: Settings, tenant: str | None, progress_on: Console, anchors: Sequence[Path] = ()
) -> list[Examined]:
    """Work every tree out again from its entries, and compare it with what was signed and anchored, and what is stored.

    Raises:
        UnknownTenant, OwnerNeeded, AnchorsBroken, Unavailable
        FileUnusable: the policy of witnesses, or the roots of the authority, can't be read.
    """
    with migrated(settings) as urls:
        async with db.pool(urls.worker, size=2) as pool, operations.transactions(urls.app, snapshots=True) as begin:
            tenants = await _named(urls, pool, tenant)
            keys = await public_keys(pool)
            witnesses = attesting.policy(Path(settings.witnesses_path)).keys if settings.witnesses_path else {}
            judge = _judge(Path(settings.tsa_roots_path)) if settings.tsa_roots_path else None
            published = sequencer.published(settings)
            look = ExamineLog(reading(pool), published, settings.log_name, keys, witnesses, judge)
            origins = {origin_of(settings.log_name, each): each for each in await with_tree(pool)}
            anchored = _anchored(anchors, origins, keys)
            vocabulary = read_policy(BUILD).vocabulary
            found = []
            for each in tenants:
                with bar(progress_on, f"entries of {each}") as advanced:
                    tree = await look(each, advanced, anchored.get(each, ()))
                committed = await ExamineCommitted(begin)(each, tree.entries)
                found.append(_together(tree, committed, await ExamineStanding(begin, vocabulary)(each)))
            return found


def _together(tree: Examined, committed: Committed, standing: Sequence[str]) -> Examined:
    return replace(
        tree,
        shown=committed.shown,
        expired=committed.expired,
        closed=committed.closed,
        findings=[*tree.findings, *committed.findings, *standing],
    )


def _anchored(
    anchors: Sequence[Path], origins: Mapping[str, TenantId], public: Sequence[bytes]
) -> dict[TenantId, list[Checkpoint]]:
    """Return what files of anchors hold of each tenant's log.

    Raises:
        AnchorsBroken: a line is none, isn't signed, doesn't go on from the one before, or is of a log that isn't here.
    """
    held: dict[TenantId, list[Checkpoint]] = {}
    report = Report()
    for place in anchors:

        def believe(checkpoint: Checkpoint, where: str) -> None:
            if checkpoint.origin not in origins:
                raise Wrong(Kind.FOREIGN, f"the database has no log {checkpoint.origin}")
            ours = [Key(checkpoint.origin, LOG, each) for each in public]
            checkpoint.verify({(key.name, key.id): key for key in ours})

        with place.open("rb") as file:
            for checkpoint in read_anchors(lines_of(file), str(place), report, believe):
                held.setdefault(origins[checkpoint.origin], []).append(checkpoint)
    if report.findings:
        first = report.findings[0]
        raise AnchorsBroken(f"{first.place}: {first.kind.value}; {first.words}")
    return held


async def _named(urls: DatabaseUrls, pool: AsyncConnectionPool, name: str | None) -> Sequence[TenantId]:
    """Return every tenant, or the one of this name: a database of before somebody was added can have their log."""
    begun = await with_tree(pool)
    if name is not None and operations.tenant_named(name) in begun:
        return [TenantId(name)]
    known = operations.tenants_named(urls, name)
    return known if name is not None else sorted({*known, *begun})


async def recover(settings: Settings, tenant: str) -> Recovered:
    """Let a halted log go on from what the database has, and note in it that it does.

    Raises:
        NotHalted, UnknownTenant, OwnerNeeded, Unavailable
    """
    with migrated(settings) as urls:
        async with db.pool(urls.worker, size=2) as pool:
            [known] = await _named(urls, pool, tenant)
            async with growing(pool)(known) as log:
                was = (await log.hold()).halted
            if was is None:
                raise NotHalted(f"nothing halts the log of {tenant}")
            files = sequencer.published(settings)
            lost = await files.recall(known)
            async with operations.transactions(urls.app) as begin, begin(known) as tx:
                await tx.audit.append(
                    event=AuditEvent.LOG_RECOVERED, object_id=_tree(lost), by=operations.as_operator(known)
                )
            aside = files.set_aside(known)
            async with growing(pool)(known) as log:
                await log.hold()
                await log.go_on()
    return Recovered(tenant=tenant, was=was, set_aside=None if aside is None else str(aside))


def _tree(note: str | None) -> str:
    """Return size and root of the tree that was signed and is lost, by which the entry names it."""
    try:
        lost = None if note is None else Checkpoint.parse(note)
    except Wrong:
        lost = None
    return "unknown" if lost is None else f"{lost.size}:{lost.root.hex()}"


def rotate(settings: Settings) -> bytes:
    """Add a key to the log's file, by which it signs from the next start of the worker on."""
    return add_key(sequencer.keys_file(settings))


async def rotate_receipts(settings: Settings, *, lost: bool = False) -> bytes:
    """Add a key to the file of receipts, which signs them from the next start of what serves on.

    Only then is it made to count, with all that the file holds: should that fail, receipts are signed as before. If
    the file is `lost`, another one is made in its place; a file that is there is never replaced.

    Raises:
        FileUnusable, FileExposed: there is no file to which it could be added, or not the one that counts.
        OwnerNeeded, Unavailable
    """
    place = receipt_keys_file(settings)
    with migrated(settings) as urls:
        async with db.pool(urls.worker, size=2) as pool:
            used = await public_keys(pool, KeyPurpose.RECEIPTS)
            if lost:
                if place.exists() and set(LogKeys.open(place, make=False).public) & set(used):
                    raise FileUnusable(f"{place.name} is there, with a key of receipts: it isn't lost")
                held, added = list[bytes](), LogKeys.open(place, make=True).public[-1]
            else:
                held = list(LogKeys.open(place, make=False).public)
                if used and used[-1] not in held:
                    raise FileUnusable(f"{place.name} lacks the newest key of receipts")
                added = add_key(place)
            for public in (*held, added):
                await add_public_key(pool, public, utc_now(), KeyPurpose.RECEIPTS)
    return added


def verify(
    files: Sequence[Path],
    keys: Path | None,
    known: Sequence[Path],
    *,
    whole: bool,
    anchors: Sequence[Path] = (),
    witnesses: Path | None = None,
    tsa_roots: Path | None = None,
) -> int:
    """Verify what was handed out; return the exit code. Needs no database.

    Raises:
        FileUnusable: there are no certificates in `tsa_roots`, or what judges time-stamps isn't installed.
    """
    from service.audit.verify import main

    named = [("--keys", keys), ("--witnesses", witnesses), *(("--known", file) for file in known)]
    named += [("--anchor", file) for file in anchors]
    options = [part for option, file in named if file for part in (option, str(file))]
    return main([*options, *(["--whole"] if whole else []), *map(str, files)], _judge(tsa_roots))


def _judge(roots: Path | None) -> Judge | None:
    if roots is None:
        return None
    if find_spec("rfc3161_client") is None:
        raise FileUnusable("time-stamps need the extra `timestamps`: install volens[timestamps]")
    from service.audit.rfc3161 import Authorities  # the extra may be missing

    try:
        return Authorities.of(roots.read_bytes()).judge
    except ValueError:
        raise FileUnusable(f"{roots} holds no certificates") from None
