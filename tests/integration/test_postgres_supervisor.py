"""The embedded PostgreSQL: what it offers to whom, one per directory, its life that of its supervisor."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import create_engine, text

from service import postgres_programs
from service.postgres import DatabaseUrls, DataDirectoryInUse, EmbeddedPostgres
from tests.integration.postgres_trials import (
    ROOT,
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


def test_each_role_reaches_its_database_by_its_url(served):
    _, urls = served

    for url, expected in [
        (urls.owner, ("volens_owner", "volens")),
        (urls.app, ("volens_app", "volens")),
        (urls.worker, ("volens_worker", "volens")),
        (urls.admin, ("volens_admin", "postgres")),
    ]:
        assert run(url, "SELECT current_user::text, current_database()::text") == [expected]


def test_sqlalchemy_understands_the_urls(served):
    _, urls = served
    engine = create_engine(urls.app)

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_user")) == "volens_app"
    engine.dispose()


def test_no_role_of_the_service_has_a_privilege_over_the_server(served):
    _, urls = served
    columns = "rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication"

    assert run(urls.admin, f"SELECT rolname, {columns} FROM pg_roles WHERE rolname LIKE 'volens%' ORDER BY 1") == [
        ("volens_admin", True),
        ("volens_app", False),
        ("volens_owner", False),
        ("volens_worker", False),
    ]
    assert run(urls.owner, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'volens'") == [
        ("volens_owner",)
    ]


@pytest.mark.parametrize("role", ["volens_admin", "volens_owner", "volens_app", "volens_worker"])
@pytest.mark.parametrize("password", ["", ":", ":wrong"])
def test_nobody_gets_in_without_the_right_password(served, role, password):
    _, urls = served
    address = urls.app.split("@", 1)[1]

    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://{role}{password}@{address}")


def test_no_port_is_open(served):
    data, _ = served
    server = postmaster(data)

    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a backend of an earlier test takes its leave
            assert process.net_connections(kind="inet") == []
    assert [connection.laddr for connection in server.net_connections(kind="unix")] == [
        str(data / "postgres" / ".s.PGSQL.5432")
    ]


def test_what_was_committed_is_on_the_disk(served):
    _, urls = served

    for setting in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert run(urls.app, f"SHOW {setting}") == [("on",)]


def test_the_server_takes_a_quarter_of_the_memory_at_most(served):
    _, urls = served
    ((buffers,),) = run(urls.app, "SELECT pg_size_bytes(current_setting('shared_buffers'))")

    assert buffers <= min(psutil.virtual_memory().total / 4, 256 * 2**20)


def test_files_are_for_our_eyes_and_the_data_directory_stays_as_it_was(served):
    data, _ = served
    home = data / "postgres"

    for path in [home, *home.rglob("*")]:
        assert path.lstat().st_mode & 0o077 == 0, path
        assert path.lstat().st_uid == os.geteuid(), path
    assert (home / "passwords").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o751
    assert data.stat().st_uid == os.geteuid()


def test_the_log_holds_no_value_and_no_password(served):
    data, urls = served
    run(urls.owner, "CREATE TABLE told (secret text PRIMARY KEY, number integer NOT NULL)")
    run(urls.owner, "INSERT INTO told VALUES ('ada@people.example', 1)")
    for statement in ("VALUES ('ada@people.example', 2)", "VALUES ('bob@people.example', NULL)"):
        with pytest.raises(psycopg.IntegrityError):
            run(urls.owner, f"INSERT INTO told {statement}")

    said = log_of(data)

    assert "duplicate key" in said
    assert "people.example" not in said
    assert not [word for word in (data / "postgres" / "passwords").read_text().split() if word in said]


# --- One per directory


def test_a_second_process_is_refused_but_may_attach(served):
    data, urls = served

    with supervisor(data) as second:
        _, said = second.communicate(timeout=10)
    attach = (
        f"from pathlib import *; from service.postgres import *; print(EmbeddedPostgres.running(Path({str(data)!r})))"
    )
    attached = subprocess.run([sys.executable, "-c", attach], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.startswith("data_directory_in_use: ")
    assert str(data) in said
    assert attached.stdout.strip() == str(urls)
    assert run(urls.app, "SELECT 1") == [(1,)]


def test_a_second_supervisor_in_the_same_process_is_refused_too(served):
    data, urls = served

    with pytest.raises(DataDirectoryInUse):
        EmbeddedPostgres(data).start()
    assert run(urls.app, "SELECT 1") == [(1,)]


def test_there_is_nothing_to_attach_to_before_and_after(data, tmp_path):
    assert EmbeddedPostgres.running(tmp_path / "nowhere") is None
    assert EmbeddedPostgres.running(data) is None
    assert not (tmp_path / "nowhere").exists()


def test_who_attaches_while_the_server_starts_waits_for_its_database(tmp_path):
    with supervisor(tmp_path) as child:
        until(lambda: (tmp_path / "postgres" / "cluster.new").exists())
        urls = EmbeddedPostgres.running(tmp_path)
        assert run(urls.worker, "SELECT 1") == [(1,)]
        ready(child)


@contextmanager
def unsupervised(data: Path, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    home = data / "postgres"
    binaries = postgres_programs.find(home / "cluster")
    who = postgres_programs.identity(home, binaries)
    arguments = ("-D", "cluster", "-k", str(home), "-h", "")
    command = postgres_programs.command(who, signal.SIGQUIT, home, binaries / "postgres", *arguments)
    with subprocess.Popen(command, stderr=subprocess.PIPE, **options) as process:
        while b"ready to accept" not in process.stderr.readline():
            assert process.poll() is None
        yield process


def test_a_server_started_by_hand_is_left_alone(data):
    with unsupervised(data) as process:
        with pytest.raises(DataDirectoryInUse, match=f"by hand .process {process.pid}."):
            EmbeddedPostgres(data).start()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)

    with EmbeddedPostgres(data) as urls:
        assert run(urls.app, "SELECT 1") == [(1,)]


def test_a_server_of_ours_that_missed_its_supervisors_death_is_ended(data):
    with (data / "postgres" / "server.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with unsupervised(data, pass_fds=[lock.fileno()]) as process:
            lock.close()
            with EmbeddedPostgres(data) as urls:
                assert process.wait(timeout=1) == 0
                assert run(urls.app, "SELECT 1") == [(1,)]
    assert "redo starts" not in log_of(data)


def test_a_warm_start_takes_less_than_a_second(data):
    began = time.monotonic()
    with EmbeddedPostgres(data):
        assert time.monotonic() - began < 1


def test_stop_may_be_called_at_any_time_and_start_again_afterwards(data):
    server = EmbeddedPostgres(data)
    server.stop()
    first = server.start()
    server.stop()
    server.stop()
    assert is_free(data)

    assert server.start() == first
    server.stop()


def test_stop_does_not_wait_for_busy_clients(data):
    server = EmbeddedPostgres(data)
    urls = server.start()
    with psycopg.connect(urls.app) as connection:
        connection.execute("SELECT 1")
        server.stop()

        assert is_free(data)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_the_server_outlives_the_thread_that_started_it(data):
    server = EmbeddedPostgres(data)
    started: list[DatabaseUrls] = []
    thread = threading.Thread(target=lambda: started.append(server.start()))
    thread.start()
    thread.join()
    time.sleep(0.3)

    assert run(started[0].app, "SELECT 1") == [(1,)]
    server.stop()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, "exit without stop"])
def test_however_the_supervisor_ends_the_server_goes_with_it_and_keeps_what_was_committed(data, end):
    with supervisor(data) as child:
        ready(child)
        urls = EmbeddedPostgres.running(data)
        number = keep_a_row(urls)
        child.stdin.close() if end == "exit without stop" else child.send_signal(end)
        child.wait(timeout=5)
        until(lambda: is_free(data), seconds=5)

    with EmbeddedPostgres(data) as urls:
        assert number in kept(urls)
    assert "redo starts" not in log_of(data)  # it was shut down, not cut off


def test_a_start_right_after_a_kill_waits_for_the_old_server_to_end(data):
    with supervisor(data) as child:
        ready(child)
        child.kill()
        with EmbeddedPostgres(data) as urls:
            assert run(urls.app, "SELECT 1") == [(1,)]


def test_a_backend_that_outlives_its_postmaster_is_waited_for(data):
    """Two servers on the same files is how a database is lost; the pid file would have allowed it."""
    busy = "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '1.5 s' LOOP END LOOP; END $$"
    with supervisor(data) as child:
        ready(child)
        urls = EmbeddedPostgres.running(data)
        with psycopg.connect(urls.app, autocommit=True) as connection:
            backend = psutil.Process(connection.info.backend_pid)
            thread = threading.Thread(target=connection.execute, args=[busy])
            thread.start()
            until(lambda: backend.cpu_times().user > 0.1)
            postmaster(data).kill()
            child.kill()
            assert backend.status() == psutil.STATUS_RUNNING

            with EmbeddedPostgres(data) as urls:
                assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE
                assert run(urls.app, "SELECT 1") == [(1,)]
            thread.join()
