"""An installation on a database of its own: migrated, one tenant, a token."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from service import kernel
from service.postgres import DatabaseUrls
from tests.conftest import Database
from tests.journeys.commands import typed
from tests.journeys.processes import environment

SCOPES = " ".join(kernel.SCOPES)


@dataclass(frozen=True)
class Installation:
    env: Mapping[str, str]
    urls: DatabaseUrls
    token: str


@pytest.fixture(scope="module")
def installation(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    data: Path = tmp_path_factory.mktemp("data")
    env = environment(data, database.urls)
    assert typed("migrate", env=env).exit_code == 0
    assert typed("tenant", "add", "acme", env=env).exit_code == 0
    token = typed("token", "--tenant", "acme", "--scope", SCOPES, env=env).stdout.strip()
    return Installation(env=env, urls=database.urls, token=token)
