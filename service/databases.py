"""The database of an installation: found or started, migrated, and reached as somebody whom it keeps in bounds."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from service import db, schema
from service.kernel import DomainError, Unavailable
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.settings import InvalidSettings, Settings


class SchemaOutdated(DomainError):
    """The database is not at the schema that this version needs."""

    code = "schema_outdated"


class OwnerNeeded(DomainError):
    """What crosses tenants takes the rights of the tables' owner."""

    code = "owner_needed"


@contextmanager
def database(settings: Settings) -> Iterator[DatabaseUrls]:
    """Yield the database's addresses: of the server that is set, of the embedded one that runs, or of one we start."""
    if settings.database_url:
        yield external(settings, settings.database_url)
    elif urls := EmbeddedPostgres.running(settings.data):
        yield urls
    else:
        with EmbeddedPostgres(settings.data) as urls:
            yield urls


def external(settings: Settings, url: str) -> DatabaseUrls:
    """Return the addresses of a server of the operator's.

    Where only one address is set, its user takes on the role of each part
    (`SET ROLE`), so that row-level security and grants bind all the same.
    """
    owner, worker = settings.owner_database_url, settings.worker_database_url
    return DatabaseUrls(
        owner=owner or url,
        app=url if owner else db.as_role(url, "volens_app"),
        worker=worker or db.as_role(url, "volens_worker"),
        admin=owner or url,
    )


@contextmanager
def migrated(settings: Settings) -> Iterator[DatabaseUrls]:
    """Yield the database's addresses. Only `volens migrate` and `volens up` change its schema; others want it ready.

    Raises:
        Unavailable: it does not answer.
        SchemaOutdated: there is none, or it was never migrated, or by an older version. A newer schema passes:
            while a release is rolled out, the version before it goes on.
    """
    if not (settings.database_url or (settings.data / "postgres").exists()):
        raise SchemaOutdated(
            f"there are no data in {settings.data}; name their folder by --data or VOLENS_DATA_DIR, or make them by "
            "`volens up` or `volens migrate`"
        )
    with database(settings) as urls:
        with connect(urls.owner) as connection:
            try:
                stands = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            except psycopg.errors.UndefinedTable:
                stands = None
        if stands is None or stands[0] < schema.head():
            raise SchemaOutdated("the database is not at the present schema; `volens migrate` brings it there")
        yield urls


_STEPS_AROUND: Final = """
    SELECT rolsuper OR rolbypassrls OR EXISTS (
        SELECT FROM pg_roles AS other WHERE pg_has_role(other.oid, 'USAGE') AND (
            other.rolname = ANY(%s) OR other.oid = (SELECT relowner FROM pg_class WHERE oid = to_regclass('tenant'))))
    FROM pg_roles WHERE rolname = current_user
"""


def refuse_unguarded_app(urls: DatabaseUrls) -> None:
    """Refuse to serve as a database user who sees more than one tenant: row-level security would be decoration.

    Raises:
        InvalidSettings: it is a superuser, has BYPASSRLS, owns the tables, or is the worker as well.
        Unavailable: the database does not answer.
    """
    _refuse_unguarded(urls.app, "VOLENS_DATABASE_URL", "volens_app", ["volens_worker"])


def refuse_unguarded_worker(urls: DatabaseUrls) -> None:
    """Refuse to work as a database user who may change what was stored.

    Raises:
        InvalidSettings: it is a superuser, has BYPASSRLS, or owns the tables.
        Unavailable: the database does not answer.
    """
    _refuse_unguarded(urls.worker, "VOLENS_WORKER_DATABASE_URL", "volens_worker", [])


def _refuse_unguarded(url: str, variable: str, role: str, others: list[str]) -> None:
    with connect(url) as connection:
        if connection.execute(_STEPS_AROUND, [others]).fetchone() != (False,):
            raise InvalidSettings(
                f"{variable} names a user whom row-level security does not bind, or who has the rights of another "
                f"part; give it one like {role}: no SUPERUSER, no BYPASSRLS, owner of nothing"
            )


def need_owner(urls: DatabaseUrls) -> None:
    """To anybody else the database would show no tenants, and say nothing."""
    with connect(urls.owner) as connection:
        owns = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('tenant')"
        if connection.execute(owns).fetchone() != (True,):
            raise OwnerNeeded("this takes the owner of the tables: set VOLENS_OWNER_DATABASE_URL")


@contextmanager
def connect(url: str) -> Iterator[psycopg.Connection]:
    """Lend a connection that commits each statement.

    Raises:
        Unavailable: the database does not answer, or lets this user not in.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise silent(error) from error


def gist(error: BaseException) -> str:
    """Return the first line of what the driver says. What it quotes may be part of a mistyped password."""
    said = error.orig if isinstance(error, DBAPIError) else error
    first, *_ = str(said).splitlines() or [""]
    return re.sub(r"""(["'])(?:(?!\1).)*\1""", "…", first)


def silent(error: BaseException) -> Unavailable:
    """Return what is raised where the database does not answer."""
    return Unavailable(f"the database does not answer: {gist(error)}")
