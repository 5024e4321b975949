"""The commands as an operator types them: what they print, how they refuse, and how they end."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import click
import psycopg
import pytest

from service import databases, worker
from service.cli import main
from service.given import utc_now
from service.kernel import SCOPES
from service.settings import Settings
from service.telemetry import Telemetry
from tests.conftest import Database
from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation
from tests.journeys.processes import environment, volens
from tests.toy_policy import opa

CASES = Path(__file__).parents[1] / "policy" / "cases" / "shared.jsonl"
NOWHERE = "postgresql://volens_app:hunter2@127.0.0.1:9/volens"
CASE = {
    "id": "a stranger", "jurisdiction": "DE", "channel": "email", "purpose": "marketing",
    "at": "2026-11-20T11:00:00+01:00", "expect": {"allow": False, "basis": "none"},
}  # fmt: skip


def commands(group: click.Group = main, path: str = "volens") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


# --- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_help_of_a_command_shows_how_it_is_typed(path: str, command: click.Command):
    shown = typed(*path.split()[1:], "--help")
    usage, *explained = shown.stdout.partition("Options:")[0].splitlines()

    assert shown.exit_code == 0
    assert usage.startswith("Usage: ")
    assert any(path in line for line in explained)


def test_help_and_typing_errors_do_not_wait_for_the_service_to_load():
    loaded = modules_after("main(['token', '--help'], standalone_mode=False)")

    assert "click" in loaded
    assert not loaded & {"litestar", "sqlalchemy", "psycopg", "wasmtime"}


@pytest.mark.parametrize(
    ("root", "needed"),
    [
        ("operations", set()),
        ("rotation", set()),
        ("playing", {"holidays", "opapywasm"}),
        ("working", {"aiohttp", "holidays", "phonenumbers", "procrastinate", "uvicorn"}),
        ("processes", {"aiohttp", "holidays", "jsonschema", "litestar", "opapywasm", "phonenumbers", "uvicorn"}),
    ],
)
def test_a_command_loads_no_library_that_it_has_no_use_for(root: str, needed: set[str]):
    heavy = {
        "aiohttp", "alembic", "boto3", "holidays", "jsonschema", "litestar", "opa_client", "opapywasm", "phonenumbers",
        "procrastinate", "requests", "uvicorn",
    }  # fmt: skip

    assert modules_after(f"import service.{root}") & heavy == needed


def modules_after(statement: str) -> set[str]:
    probe = f"import sys\nfrom service.cli import main\n{statement}\nprint(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    return {name.split(".")[0] for name in ran.stderr.split()}


# --- refusals: one line, an exit code, no traceback ---------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "said"),
    [
        (["settings"], {"VOLENS_PROT": "8080"}, 2, "unknown setting VOLENS_PROT"),
        (["settings"], {"VOLENS_PORT": "many"}, 2, "VOLENS_PORT"),
        (["serve"], {"VOLENS_DATABASE_URL": " "}, 2, "VOLENS_DATABASE_URL is set to nothing"),
        (["serve", "--host", ""], {}, 2, "VOLENS_HOST"),
        (["serve", "--port", "0", "--host", "nowhere.invalid"], {}, 1, "can't listen on nowhere.invalid:0"),
        (["tenant", "add", "Big Shop"], {}, 2, "a tenant's name is"),
        (["token", "--tenant", "acme", "--scope", "vault:open"], {}, 2, "scopes are decide, audiences, records:write"),
        (["token", "--tenant", "acme", "--scope", "self"], {}, 2, "--subject and the scope `self` go together"),
        (["token", "--tenant", "acme", "--scope", "decide", "--subject", "anna"], {}, 2, "go together"),
        (["token", "--tenant", "acme", "--scope", "self", "--subject", "a@b.example"], {}, 2, "a subject is"),
        (["token", "--tenant", "acme", "--scope", "decide", "--client", "a@b.example"], {}, 2, "a client is"),
        (["token", "--tenant", "a", "--scope", "decide"], {"VOLENS_LOCAL_ISSUER": "false"}, 2, "VOLENS_LOCAL_ISSUER"),
        (["policy", "check", "{empty}"], {}, 2, "holds no cases"),
        (["policy", "check", "{broken}"], {}, 2, "broken.jsonl, line 2"),
        (["policy", "check", "{binary}"], {}, 2, "UTF-8"),
        (["policy", "check", "--jurisdiction", "FR,US-CA", "{good}"], {}, 2, "no case has the jurisdiction FR or US"),
        (["policy", "check", "--case", "a stranger", "--case", "ZZ-1", "{good}"], {}, 2, "no case has the id ZZ-1"),
        (["policy", "check", "--engine", "opa", "{good}"], {"OPA": "/nowhere/opa"}, 3, "OPA=/nowhere/opa"),
        (["policy", "check", "--engine", "opa", "{good}"], {"OPA": sys.executable}, 3, "does not start as an OPA"),
        (["policy", "check", "--engine", "opa", "{good}"], {"VOLENS_OPA_URL": "http://127.0.0.1:9"}, 3, "unreachable"),
        (["policy", "check", "--engine", "opa", "{good}"], {"VOLENS_OPA_URL": "127.0.0.1"}, 2, "VOLENS_OPA_URL"),
        *(
            (command, {"VOLENS_DATABASE_URL": NOWHERE}, 3, "the database does not answer")
            for command in (["serve", "--port", "0"], ["up", "--port", "0"], ["work"], ["migrate"], ["tenant", "list"])
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_one_line_and_an_exit_code(
    arguments: list[str], variables: dict[str, str], code: int, said: str, tmp_path: Path
):
    files = {
        "empty": b"\n\n",
        "broken": json.dumps(CASE).encode() + b'\n{"id": ',
        "binary": b"\xff\xfe\x00",
        "good": json.dumps(CASE).encode(),
    }
    for name, content in files.items():
        (tmp_path / f"{name}.jsonl").write_bytes(content)
    named = {name: str(tmp_path / f"{name}.jsonl") for name in files}
    if "OPA" in variables:
        variables = {**variables, "PATH": str(tmp_path)}
    result = typed(
        *(word.format(**named) for word in arguments), env={"VOLENS_DATA_DIR": str(tmp_path / "data"), **variables}
    )

    assert result.exit_code == code, result.output
    assert said in refusal(result)
    assert "hunter2" not in result.output


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        result = typed("up", "--port", port, env={"VOLENS_DATA_DIR": str(tmp_path / "data")})

    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in refusal(result)
    assert "VOLENS_PORT=8081 make run" in refusal(result)
    assert not (tmp_path / "data").exists()


def test_a_database_that_was_never_migrated_is_said(new_database: Callable[..., object], tmp_path: Path):
    env = environment(tmp_path, new_database(empty=True))  # type: ignore[arg-type]
    for command in (["serve", "--port", "0"], ["work"], ["tenant", "list"], ["tenant", "add", "acme"]):
        result = typed(*command, env=env)
        assert result.exit_code == 1
        assert "`volens migrate`" in refusal(result)


def test_a_key_that_others_can_read_signs_nothing(installation: Installation, tmp_path: Path):
    env = {**installation.env, "VOLENS_DATA_DIR": str(tmp_path)}
    assert typed("token", "--tenant", "acme", "--scope", "decide", env=env).exit_code == 0
    before = issued(installation)
    (tmp_path / "issuer.key.pem").chmod(0o644)

    for command in (["token", "--tenant", "acme", "--scope", "decide"], ["serve", "--port", "0"]):
        result = typed(*command, env=env)
        assert result.exit_code == 1
        assert "0600" in refusal(result)
    assert issued(installation) == before


def issued(installation: Installation) -> int:
    with psycopg.connect(installation.urls.admin) as database:
        found = database.execute("SELECT count(*) FROM audit_entry WHERE event = 'token.issued'").fetchone()
    assert found is not None
    return int(found[0])


# --- the database's users -----------------------------------------------------------------------


@pytest.fixture
def unbound(database: Database) -> Iterator[str]:
    """A user whom row-level security doesn't bind, though it is no superuser."""
    name = f"unbound_{uuid4().hex[:8]}"
    with psycopg.connect(database.urls.admin, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN BYPASSRLS PASSWORD 'secret' IN ROLE volens_app")
        yield database.urls.app.replace("volens_app", name, 1).replace(admin_password(database.urls.app), "secret")
        admin.execute(f"DROP ROLE {name}")


def admin_password(url: str) -> str:
    return url.split("://", 1)[1].split("@", 1)[0].split(":", 1)[1]


def test_nobody_serves_as_a_user_who_sees_every_tenant(installation: Installation, unbound: str):
    urls = installation.urls
    for user in (urls.admin, urls.owner, urls.worker, unbound):
        result = typed("serve", "--port", "0", env={**installation.env, "VOLENS_DATABASE_URL": user})
        assert result.exit_code == 2, user
        assert "VOLENS_DATABASE_URL" in refusal(result)
    for user in (urls.admin, urls.owner):
        result = typed("work", env={**installation.env, "VOLENS_WORKER_DATABASE_URL": user})
        assert result.exit_code == 2, user
        assert "VOLENS_WORKER_DATABASE_URL" in refusal(result)


async def test_the_user_of_a_single_address_takes_on_the_role_of_each_part(installation: Installation):
    url = installation.urls.admin
    urls = databases.external(Settings(database_url=url), url)
    databases.refuse_unguarded_app(urls)
    databases.refuse_unguarded_worker(urls)
    for role, address in (("volens_app", urls.app), ("volens_worker", urls.worker)):
        with databases.connect(address) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (role,)

    jobs = worker.build(urls.worker, Telemetry(utc_now))
    async with jobs.open_async():
        (seen,) = await jobs.connector.execute_query_all_async("SELECT current_user AS role, current_schema() AS place")
    assert seen == {"role": "volens_worker", "place": "jobs"}


def test_the_application_cannot_list_or_add_tenants_and_says_why(installation: Installation):
    env = {name: value for name, value in installation.env.items() if name != "VOLENS_OWNER_DATABASE_URL"}
    for command in (["tenant", "list"], ["tenant", "add", "other"], ["state", "rebuild"]):
        result = typed(*command, env=env)
        assert result.exit_code == 1
        assert "VOLENS_OWNER_DATABASE_URL" in refusal(result)


# --- what commands print ------------------------------------------------------------------------


def test_a_token_is_printed_alone_and_the_log_knows_it(installation: Installation):
    before = issued(installation)
    result = typed("token", "--tenant", "acme", "--scope", "decide  records:write", env=installation.env)

    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    assert result.stdout.count(".") == 2
    assert issued(installation) == before + 1


def test_the_scopes_that_are_offered_are_those_that_open_an_operation():
    described = json.loads((Path(__file__).parents[2] / "openapi" / "openapi.json").read_text())["paths"]
    ways = [way for path in described.values() for operation in path.values() for way in operation["security"]]

    assert {scope for way in ways for scope in way["bearer"]} == {*SCOPES, "self"}
    assert ", ".join([*SCOPES, "self."]) in " ".join(typed("token", "--help").stdout.split())


def test_a_token_for_a_tenant_nobody_added_is_refused(installation: Installation):
    result = typed("token", "--tenant", "nobody", "--scope", "decide", env=installation.env)

    assert result.exit_code == 1
    assert "`volens tenant add nobody`" in refusal(result)
    assert typed("state", "rebuild", "--tenant", "nobody", env=installation.env).exit_code == 1


def test_where_a_tenant_is_is_said_by_the_operator_and_is_in_the_log(installation: Installation):
    def place(name: str, place: str = "DE-BY", zone: str = "Europe/Berlin") -> tuple[int, str, str]:
        said = typed("tenant", "place", name, "--place", place, "--time-zone", zone, "--json", env=installation.env)
        return said.exit_code, said.stdout, said.stderr

    assert [json.loads(place("acme")[1])["changed"] for _ in range(2)] == [True, False]
    assert "calendar" in place("acme", place="ZZ")[2]
    assert "time zone" in place("acme", zone="Mars/Base")[2]
    assert "`volens tenant list`" in place("nobody")[2]
    with psycopg.connect(installation.urls.admin) as connection:
        placed = connection.execute("SELECT count(*) FROM audit_entry WHERE event = 'tenant.placed'").fetchone()
    assert placed == (1,)


def test_tenants_are_added_once_and_listed(installation: Installation):
    added = [typed("tenant", "add", "zebra", "--json", env=installation.env).stdout for _ in range(2)]

    assert [json.loads(one) for one in added] == [
        {"tenant": "zebra", "added": True},
        {"tenant": "zebra", "added": False},
    ]
    assert typed("tenant", "list", env=installation.env).stdout.split() == ["acme", "zebra"]
    assert json.loads(typed("tenant", "list", "--json", env=installation.env).stdout) == ["acme", "zebra"]


def test_settings_are_listed_without_secrets():
    env = {"VOLENS_DATABASE_URL": NOWHERE, "VOLENS_OPA_TOKEN": "hunter2", "VOLENS_PORT": "0"}
    shown = {row["name"]: row["value"] for row in json.loads(typed("settings", "--json", env=env).stdout)}

    assert {"VOLENS_PORT": "0", "VOLENS_DATABASE_URL": "(set)", "VOLENS_OPA_URL": "(unset)"}.items() <= shown.items()
    table = typed("settings", env=env).stdout
    assert all(name in table for name in shown)
    assert "hunter2" not in table
    assert '[{"issuer"' in table


def test_the_policy_is_shown_rule_by_rule():
    shown = json.loads(typed("policy", "show", "--json").stdout)
    table = typed("policy", "show").stdout

    assert shown["revision"].startswith("sha256:")
    assert shown["revision"] in table
    assert all(rule["id"] in table and rule["citation"] for rule in shown["rules"])


@pytest.mark.parametrize("engine", ["embedded", "opa"])
def test_the_shared_cases_of_germany_and_california_pass(engine: str):
    if engine == "opa":
        opa()
    result = typed("policy", "check", "--engine", engine, "--jurisdiction", "DE,US-CA", str(CASES))

    assert result.stdout.splitlines()[-1] == "59 passed, 0 failed"
    assert result.exit_code == 0


def test_one_case_can_be_picked(tmp_path: Path):
    cases = tmp_path / "cases.jsonl"
    cases.write_text("\n".join(json.dumps(CASE | {"id": name}) for name in ("one", "two", "three")))
    result = typed("policy", "check", "--case", "one", "--case", "three", str(cases))

    assert (result.exit_code, result.stdout) == (0, "2 passed, 0 failed\n")


@pytest.mark.parametrize("places", ["Germany", "de", "DE,", "DE US-CA"])
def test_what_is_no_list_of_places_is_wrong_usage(places: str):
    result = typed("policy", "check", "--jurisdiction", places, str(CASES))

    assert result.exit_code == 2
    assert "is no list of places such as DE or DE,US-CA" in " ".join(result.stderr.split())


def test_a_case_that_expects_nothing_fails_and_says_what_is_missing(tmp_path: Path):
    (tmp_path / "mine.jsonl").write_text(json.dumps({name: CASE[name] for name in CASE if name != "expect"}))
    result = typed("policy", "check", str(tmp_path / "mine.jsonl"))

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        'a stranger: expect: a case says what must come back, such as {"allow": false, "basis": "none"}',
        "0 passed, 1 failed",
    ]


def test_a_case_that_fails_is_named_with_its_difference(tmp_path: Path):
    wrong = {name: value for name, value in CASE.items() if name != "id"}
    wrong["expect"] = {"allow": True, "basis": "consent"}
    (tmp_path / "mine.jsonl").write_text(f"{json.dumps(CASE)}\n\n{json.dumps(wrong)}\n")
    result = typed("policy", "check", str(tmp_path / "mine.jsonl"))
    as_json = typed("policy", "check", "--json", str(tmp_path / "mine.jsonl"))

    assert result.exit_code == as_json.exit_code == 1
    assert result.stdout.splitlines() == [
        "mine.jsonl:3: allow: expected True, got False",
        "mine.jsonl:3: basis: expected consent, got none",
        "1 passed, 1 failed",
    ]
    assert json.loads(as_json.stdout) == {"passed": 1, "failed": 1, "differences": result.stdout.splitlines()[:2]}


def test_a_command_beside_the_data_starts_no_database(tmp_path: Path):
    nowhere = tmp_path / "elsewhere"
    told = volens("audit", "verify", env=environment(nowhere), check=False)

    assert (told.returncode, nowhere.exists()) == (1, False)
    assert f"there are no data in {nowhere}; name their folder by --data" in " ".join(told.stderr.split())
