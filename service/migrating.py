"""`volens migrate`: the database is brought to the present schema, and keeps the policy that this version ships."""

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, OperationalError

from service import migrate as migrations
from service.activation import keep_shipped
from service.databases import database, gist, silent
from service.kernel import DomainError
from service.postgres import DatabaseUrls
from service.settings import Settings


class MigrationRefused(DomainError):
    """The database can't be brought to the present schema. The message says what is in the way."""

    code = "migration_refused"


def migrate(settings: Settings) -> None:
    """Bring the database to the present schema."""
    with database(settings) as urls:
        migrate_and_keep(urls)


def migrate_and_keep(urls: DatabaseUrls) -> None:
    """Do so where the database is. Raises as `apply_migrations` does."""
    apply_migrations(urls)
    keep_shipped(urls)


def apply_migrations(urls: DatabaseUrls) -> None:
    """Bring the database to the present schema.

    Raises:
        Unavailable: it does not answer, or others hold locks on it for too long.
        MigrationRefused: roles or rights are missing, or it was migrated by a newer version.
    """
    try:
        migrations.upgrade(urls.owner)
    except OperationalError as error:
        raise silent(error) from error
    except DBAPIError as error:
        raise MigrationRefused(f"the database refuses a migration: {gist(error)}") from error
    except CommandError as error:
        raise MigrationRefused(f"{error}: was the database migrated by a newer version of Volens?") from error
    except RuntimeError as error:  # a migration says what an administrator has to do first
        raise MigrationRefused(str(error)) from error
