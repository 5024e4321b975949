"""`volens subject package`: everything about one person in a file, for the operator to hand over."""

import os
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console

from service import db, given, operations
from service.audit.store import statement as audit_statement
from service.databases import migrated
from service.kernel import DomainError, SubjectId, SubjectRef
from service.own_files import new_own
from service.packages import (
    NOTHING_DECLARED,
    Collect,
    Declared,
    Language,
    MakePackage,
    OpenAll,
    PackageWish,
    WritePackage,
)
from service.packages.catalogues import words_in
from service.packages.connected import NothingConnected
from service.packages.ports import Titles, TitlesOf
from service.packages.spool import spooled
from service.packing import Pack
from service.policies.domain import RevisionDamaged
from service.progress import bar
from service.reveals.domain import NONCE_BYTES
from service.reveals.log import SqlRevealLog
from service.root_keys import root_keys, root_uses
from service.settings import Settings
from service.tenants import NOBODY
from service.transaction import Begin
from service.vault import OpenValues
from service.vault.envelope import unseal
from service.vault.keys import Keys
from service.vault.ring_guard import GuardedRing

_KEEP: Final = timedelta(minutes=5)


class DeclarationUnusable(DomainError):
    """The file with what the controller states is not what `docs/access-packages.md` says."""

    code = "declaration_unusable"


class Packaged(Struct, frozen=True, kw_only=True):
    """What was written."""

    tenant: str
    subject: str
    language: str
    file: str
    bytes: int
    values: int
    records: int
    decisions: int
    reveals: int


def read_declared(file: Path | None) -> Declared:
    """Return what a controller states.

    Raises:
        DeclarationUnusable, OSError
    """
    if file is None:
        return NOTHING_DECLARED
    try:
        return msgspec.json.decode(file.read_bytes(), type=Declared)
    except msgspec.MsgspecError as error:
        raise DeclarationUnusable(f"{file.name}: {error}") from None


async def package(
    settings: Settings, tenant: str, subject: str, language: Language, declared: Declared, out: Path, shown_on: Console
) -> Packaged:
    """Write the package of a person to a new file `out`, for its owner alone.

    Every value that is opened for it is a reveal in the log, by the operator, and so is that it was made.

    Raises:
        UnknownTenant, UnknownSubject, SubjectErased, RingUnavailable, Unreadable, Unavailable
        TooManyPeople: the operator had packages made of as many people in the last hour as may be.
        FileExistsError: there is such a file. It stays as it is.
    """
    name = operations.tenant_named(tenant)
    operations.written(subject, SubjectRef, "a subject is 1 to 128 of A-Z a-z 0-9 . _ : -")
    wish = PackageWish(subject=SubjectId(subject), language=language, declared=declared)
    with new_own(out) as file, migrated(settings) as urls:
        async with operations.transactions(urls.app) as begin, root_keys(settings, make=False) as ring:
            async with begin(name) as tx:
                if not await tx.tenants.known():
                    raise operations.UnknownTenant(f"there is no tenant {tenant}; `volens tenant list` shows them")
            guarded = GuardedRing(settings.key_ring, ring, root_uses(begin))
            keys = Keys(guarded, begin, given.utc_now, keep=_KEEP)
            async with db.pool(urls.app, size=1) as pool:
                log = SqlRevealLog(pool, audit_statement, given.new_id)
                nonce = partial(os.urandom, NONCE_BYTES)
                open_values = OpenValues(begin, keys, unseal, given.utc_now)
                open_all = OpenAll(begin, open_values, log, given.utc_now, given.new_id, nonce)
                write = WritePackage(
                    Collect(begin, open_all, titles_of(begin)), words_in, given.utc_now, NothingConnected()
                )
                alone = settings.officer_people_per_hour
                make = MakePackage(begin, write, given.utc_now, given.new_id, most_alone=alone)
                with (
                    bar(shown_on, "files of the package") as advanced,
                    spooled(out.parent) as room,
                    closing(Pack(file)) as pack,  # also when it fails, while the file is still open
                ):
                    made = await make(wish, pack, room, advanced, by=operations.as_operator(name))
        file.flush()
        size = file.tell()
    return Packaged(
        tenant=name,
        subject=subject,
        language=language.value,
        file=str(out),
        bytes=size,
        values=made.values,
        records=made.records,
        decisions=made.decisions,
        reveals=made.reveals,
    )


def titles_of(begin: Begin) -> TitlesOf:
    """Return what knows the words of the rules: of this version's, and of those that were activated."""

    async def titles(revision: str) -> Titles:
        if revision == (given.BUILD / "revision").read_text().strip():
            return _titles((given.BUILD / "rules.json").read_bytes())
        try:
            async with begin(NOBODY) as tx:
                artefacts = await tx.revisions.find(revision)
        except RevisionDamaged:  # then the rules are told by their ids
            return {}
        return {} if artefacts is None else _titles(artefacts.rules)

    return titles


class _Rule(Struct):
    id: str
    title: str
    citation: str


def _titles(rules: bytes) -> Titles:
    return {rule.id: (rule.title, rule.citation) for rule in msgspec.json.decode(rules, type=list[_Rule])}
