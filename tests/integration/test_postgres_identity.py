"""As whom the embedded PostgreSQL runs: never as root, and without changing what it need not."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.postgres import EmbeddedPostgres
from tests.integration.postgres_trials import copy, is_free, kept, postmaster, ready, run, supervisor, until

needs_root = pytest.mark.usefixtures("as_root")
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
    copy(stopped, reachable).chmod(0o755)

    with supervisor(reachable, *WITHOUT_NAMESPACES, str(tmp_path)) as child:
        ready(child)
        assert kept(EmbeddedPostgres.running(reachable)) == []


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
