"""The embedded PostgreSQL, with real servers and real kills."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import create_engine, text

from service import postgres_programs
from service.postgres import DatabaseUrls, DataDirectoryInUse, EmbeddedPostgres, PostgresFailed, PostgresMissing

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("postgres_child.py")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that was in use once; to be copied."""
    data = tmp_path_factory.mktemp("stopped")
    with EmbeddedPostgres(data) as urls:
        run(urls.owner, "CREATE TABLE kept (number integer)")
    return data


@pytest.fixture
def data(stopped: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stopped, tmp_path / "data", symlinks=True)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, DatabaseUrls]]:
    """One server for all tests that do it no harm; its data directory was there before, with a mode of its own."""
    data = tmp_path_factory.mktemp("served")
    data.chmod(0o751)
    with EmbeddedPostgres(data) as urls:
        yield data, urls


@contextmanager
def supervisor(data: Path, *before: str, **options: object) -> Iterator[subprocess.Popen[str]]:
    """Runs the child; kills it at the end, and waits until its server has gone."""
    process = subprocess.Popen(
        [*before, sys.executable, CHILD, data],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        **options,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout.readline() == "ready\n", process.stderr.read()


def until(seen: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


def log_of(data: Path) -> str:
    with suppress(FileNotFoundError):
        return (data / "postgres" / "server.log").read_text()
    return ""


def postmaster(data: Path) -> psutil.Process:
    return psutil.Process(int((data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0]))


def is_free(data: Path) -> bool:
    """Tell whether no process is left that could write to the cluster: supervisor, server, backend or initdb."""
    path = data / "postgres" / "server.lock"
    if not path.exists():
        return True
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


# --- What a server offers


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


# --- One server per directory


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


def test_a_server_started_by_hand_is_left_alone(data):
    home = data / "postgres"
    binaries = postgres_programs.find(home / "cluster")
    who = postgres_programs.identity(home, binaries)
    by_hand = postgres_programs.command(
        who, signal.SIGQUIT, home, binaries / "postgres", "-D", "cluster", "-k", "", "-h", ""
    )
    with subprocess.Popen(by_hand, stderr=subprocess.DEVNULL) as process:
        until((home / "cluster" / "postmaster.pid").exists)
        with pytest.raises(DataDirectoryInUse, match=f"by hand .process {process.pid}."):
            EmbeddedPostgres(data).start()
        assert process.poll() is None
        process.send_signal(signal.SIGINT)

    with EmbeddedPostgres(data) as urls:
        assert run(urls.app, "SELECT 1") == [(1,)]


# --- The server's life is the supervisor's


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
        run(urls.owner, "INSERT INTO kept VALUES (7)")
        server = postmaster(data)
        child.stdin.close() if end == "exit without stop" else child.send_signal(end)
        child.wait(timeout=5)
        server.wait(timeout=5)

    with EmbeddedPostgres(data) as urls:
        assert run(urls.owner, "SELECT number FROM kept") == [(7,)]
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


# --- Kills in between


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
def test_roles_and_database_that_are_missing_are_made_at_the_next_start(data, undo):
    with EmbeddedPostgres(data) as urls, psycopg.connect(urls.admin, autocommit=True) as connection:
        for statement in undo.split("; "):
            connection.execute(statement)

    with EmbeddedPostgres(data) as urls:
        for url in (urls.owner, urls.app, urls.worker):
            assert run(url, "SELECT current_database()::text") == [("volens",)]


def test_a_warm_start_may_be_killed_at_any_moment(data):
    for delay in range(0, 100, 20):
        with supervisor(data) as child:
            until(lambda: not is_free(data))
            time.sleep(delay / 1000)
            child.kill()

    with EmbeddedPostgres(data) as urls:
        assert run(urls.owner, "SELECT count(*) FROM kept") == [(0,)]


def test_a_stop_that_is_killed_loses_nothing(data):
    with supervisor(data) as child:
        ready(child)
        run(EmbeddedPostgres.running(data).owner, "INSERT INTO kept VALUES (8)")
        child.stdin.write("stop\n")
        child.stdin.flush()
        until(lambda: "shutdown request" in log_of(data))

    with EmbeddedPostgres(data) as urls:
        assert run(urls.owner, "SELECT number FROM kept") == [(8,)]


# --- What else may lie in the way


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


@pytest.mark.parametrize("name", ["with a space", "ümlaut+plus@at", "a,b:c %20 'q\"", "long-" * 40])
def test_any_path_will_do(stopped, tmp_path, name):
    data = shutil.copytree(stopped, tmp_path / name, symlinks=True)
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


def test_a_cluster_of_another_version_is_refused_by_name(data):
    (data / "postgres" / "cluster" / "PG_VERSION").write_text("14\n")

    with pytest.raises(PostgresMissing, match="needs PostgreSQL 14"):
        EmbeddedPostgres(data).start()


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
def test_a_server_that_cannot_start_says_why_and_gives_the_directory_free(data, damaged, told):
    (data / "postgres" / damaged).write_text("")

    for _ in range(2):
        with pytest.raises(PostgresFailed, match=told):
            EmbeddedPostgres(data).start()
    assert is_free(data)


def test_a_cluster_without_its_passwords_is_not_given_new_ones(data):
    (data / "postgres" / "passwords").unlink()

    with pytest.raises(PostgresFailed, match="passwords"):
        EmbeddedPostgres(data).start()
    assert not (data / "postgres" / "passwords").exists()


def test_a_file_in_place_of_the_directory_is_refused_by_name(tmp_path):
    (tmp_path / "data").write_text("")

    with pytest.raises(PostgresFailed, match="data/postgres"):
        EmbeddedPostgres(tmp_path / "data").start()


# --- As whom it runs

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
WITHOUT_NAMESPACES = ["unshare", "--mount", "sh", "-c", 'mount --rbind / "$0" && exec chroot "$0" "$@"']
"""In a chroot the kernel refuses user namespaces; this one looks just like its outside."""


@pytest.fixture
def reachable() -> Iterator[Path]:
    data = Path("/var/tmp") / f"volens-test-{os.getpid()}"
    data.mkdir(mode=0o755)
    yield data
    until(lambda: is_free(data))
    shutil.rmtree(data)


@needs_root
def test_root_without_user_namespaces_runs_it_as_an_unprivileged_user(reachable, tmp_path):
    for _ in range(2):
        with supervisor(reachable, *WITHOUT_NAMESPACES, str(tmp_path)) as child:
            ready(child)
            assert postmaster(reachable).uids().effective != 0
            child.stdin.write("stop\n")
            child.stdin.flush()
            assert child.wait(timeout=10) == 0

    # the directory keeps its new owner where namespaces are allowed
    with EmbeddedPostgres(reachable) as urls:
        assert postmaster(reachable).uids().effective == (reachable / "postgres").stat().st_uid != 0
        assert run(urls.app, "SELECT 1") == [(1,)]
    assert reachable.stat().st_uid == 0


@needs_root
def test_a_cluster_of_root_is_handed_over_where_namespaces_are_forbidden(stopped, reachable, tmp_path):
    shutil.copytree(stopped, reachable, symlinks=True, dirs_exist_ok=True)
    reachable.chmod(0o755)

    with supervisor(reachable, *WITHOUT_NAMESPACES, str(tmp_path)) as child:
        ready(child)
        urls = EmbeddedPostgres.running(reachable)
        assert run(urls.owner, "SELECT count(*) FROM kept") == [(0,)]


@needs_root
def test_an_unprivileged_user_who_cannot_reach_the_directory_is_a_clear_refusal(reachable, tmp_path):
    reachable.chmod(0o700)

    with supervisor(reachable / "data", *WITHOUT_NAMESPACES, str(tmp_path)) as child:
        _, said = child.communicate(timeout=10)

    assert said.startswith("postgres_failed: ")
    assert "Permission denied" in said
    assert "ordinary user" in said
    assert (reachable / "data" / "postgres").stat().st_uid == 0


@needs_root
@pytest.mark.parametrize("uid", ["65534", "54321"], ids=["with a name", "without a name"])
def test_an_ordinary_user_runs_it_as_themselves(reachable, uid):
    with supervisor(reachable, "unshare", "--user", f"--map-user={uid}", f"--map-group={uid}") as child:
        ready(child)
        assert run(EmbeddedPostgres.running(reachable).app, "SELECT 1") == [(1,)]
