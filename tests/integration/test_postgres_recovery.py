"""The embedded PostgreSQL copes with what a killed predecessor, or somebody else, left in its way."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import create_engine, text

from service.postgres import EmbeddedPostgres, PostgresFailed, PostgresMissing
from tests.integration.postgres_trials import (
    CHILD,
    ROOT,
    copy,
    is_free,
    keep_a_row,
    kept,
    log_of,
    postmaster,
    ready,
    run,
    supervisor,
    until,
)


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param(lambda home: (home / "supervisor.lock").exists(), id="before anything"),
        pytest.param(lambda home: (home / "cluster.new").exists(), id="initdb begins"),
        pytest.param(lambda home: (home / "cluster.new" / "base" / "1").exists(), id="in initdb"),
        pytest.param(lambda home: (home / "cluster").exists(), id="initdb is done"),
        pytest.param(lambda home: (home / "cluster" / "postmaster.pid").exists(), id="the server starts"),
        pytest.param(lambda home: (home / ".s.PGSQL.5432").exists(), id="the server listens"),
        pytest.param(lambda home: "ready to accept" in log_of(home.parent), id="roles are about to be made"),
    ],
)
def test_a_first_start_that_is_killed_is_mended_by_the_next(tmp_path, sign):
    with supervisor(tmp_path) as child:
        until(lambda: sign(tmp_path / "postgres"))
        child.kill()
        child.wait()
        assert "ready" not in child.stdout.read()

    with EmbeddedPostgres(tmp_path) as urls:
        assert run(urls.worker, "SELECT 1") == [(1,)]
    assert not (tmp_path / "postgres" / "cluster.new").exists()


@pytest.mark.parametrize(
    "undo", ["DROP DATABASE volens", "DROP DATABASE volens; DROP ROLE volens_app; DROP ROLE volens_owner"]
)
def test_roles_and_database_that_are_missing_are_made_at_the_next_start(own_data, undo):
    with EmbeddedPostgres(own_data) as urls, psycopg.connect(urls.admin, autocommit=True) as connection:
        for statement in undo.split("; "):
            connection.execute(statement)

    with EmbeddedPostgres(own_data) as urls:
        for url in (urls.owner, urls.app, urls.worker):
            assert run(url, "SELECT current_database()::text") == [("volens",)]


def test_a_warm_start_may_be_killed_at_any_moment(data):
    with EmbeddedPostgres(data) as urls:
        number = keep_a_row(urls)
    for delay in range(0, 100, 20):
        with supervisor(data) as child:
            until(lambda: not is_free(data))
            time.sleep(delay / 1000)
            child.kill()

    with EmbeddedPostgres(data) as urls:
        assert number in kept(urls)


def test_a_stop_that_is_killed_loses_nothing(data):
    with supervisor(data) as child:
        ready(child)
        number = keep_a_row(EmbeddedPostgres.running(data))
        child.stdin.write("stop\n")
        child.stdin.flush()
        until(lambda: "shutdown request" in log_of(data))

    with EmbeddedPostgres(data) as urls:
        assert number in kept(urls)


@contextmanager
def pid_of(kind: str, data: Path, served: Path) -> Iterator[str]:
    if kind == "another server":
        yield str(postmaster(served).pid)
        return
    if kind == "nonsense":
        yield "\x00nonsense"
        return
    if kind == "nothing":
        yield ""
        return
    process = subprocess.Popen(
        ["true"] if kind in ("dead", "zombie") else ["sleep", "60"], cwd=data / "postgres" / "cluster"
    )
    if kind == "dead":
        process.wait()
    elif kind == "zombie":
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    yield str(process.pid)
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    "kind", ["dead", "zombie", "a program in the same directory", "another server", "nonsense", "nothing"]
)
def test_a_stale_pid_file_does_not_stop_a_start(data, served, kind):
    home = data / "postgres"
    with pid_of(kind, data, served[0]) as pid:
        (home / "cluster" / "postmaster.pid").write_text(f"{pid}\n{home / 'cluster'}\n1700000000\n5432\n{home}\n\n\n")
        (home / ".s.PGSQL.5432.lock").write_text(f"{pid}\n{home / 'cluster'}\n1700000000\n5432\n{home}\n")

        with EmbeddedPostgres(data) as urls:
            assert run(urls.app, "SELECT 1") == [(1,)]
    assert run(served[1].app, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("name", ["space ümlaut+plus@at", "a,b:c %20 'q\"", "long-" * 40])
def test_any_path_will_do(stopped, tmp_path, name):
    data = copy(stopped, tmp_path / name)
    with supervisor(data) as child:
        ready(child)
        urls = EmbeddedPostgres.running(data)
        engine = create_engine(urls.app)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        engine.dispose()
        link = data / "postgres" / "socket"
        private = link.readlink() if link.is_symlink() else None
        if private is not None:
            assert private.stat().st_mode & 0o777 == 0o700
        child.kill()

        with EmbeddedPostgres(data):
            assert private is None or not private.exists()
            latest = link.readlink() if link.is_symlink() else None
    assert latest is None or not latest.exists()


def test_a_cluster_of_another_version_is_refused_by_name(own_data):
    (own_data / "postgres" / "cluster" / "PG_VERSION").write_text("14\n")

    with pytest.raises(PostgresMissing, match="needs PostgreSQL 14"):
        EmbeddedPostgres(own_data).start()


def test_a_machine_without_the_programs_is_told_what_to_install(tmp_path):
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(psycopg.__file__).parents[1].iterdir():
        if "pgserver" not in path.name:
            (packages / path.name).symlink_to(path)
    with subprocess.Popen(
        [sys.executable, "-S", CHILD, tmp_path / "data"],
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{packages}:{ROOT}"},
    ) as child:
        _, said = child.communicate()

    assert said.startswith("postgres_missing: ")
    assert "volens[embedded]" in said


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        pytest.param("cluster/global/pg_control", "pg_control", id="a broken cluster"),
        pytest.param("passwords", "passwords", id="no passwords"),
    ],
)
def test_a_server_that_cannot_start_says_why_and_gives_the_directory_free(own_data, damaged, told):
    (own_data / "postgres" / damaged).write_text("")

    for _ in range(2):
        with pytest.raises(PostgresFailed, match=told):
            EmbeddedPostgres(own_data).start()
    assert is_free(own_data)


def test_a_cluster_without_its_passwords_is_not_given_new_ones(own_data):
    (own_data / "postgres" / "passwords").unlink()

    with pytest.raises(PostgresFailed, match="passwords"):
        EmbeddedPostgres(own_data).start()
    assert not (own_data / "postgres" / "passwords").exists()


def test_a_file_in_place_of_the_directory_is_refused_by_name(tmp_path):
    (tmp_path / "data").write_text("")

    with pytest.raises(PostgresFailed, match="data/postgres"):
        EmbeddedPostgres(tmp_path / "data").start()
