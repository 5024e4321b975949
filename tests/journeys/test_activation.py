"""Another policy is activated: checked first, then the law on every process from the next check on."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from service import given
from service.opa_process import opa_server
from tests.journeys.commands import refusal, typed
from tests.journeys.conftest import Installation
from tests.journeys.packed import pack, packed_again, parts
from tests.journeys.processes import Client, running, volens
from tests.toy_policy import opa

SHIPPED = (given.BUILD / "revision").read_text().strip()
QUESTION = {"subject": "anna", "channel": "email", "purpose": "marketing"}
AGES = json.loads((given.POLICIES / "data/ages.json").read_text())["consent"]
CASE = {"jurisdiction": "DE", "channel": "email", "purpose": "marketing"}
STRANGER = CASE | {"at": "2026-11-20T11:00:00+01:00", "expect": {"allow": False, "basis": "none"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "cases.jsonl").write_text(json.dumps(STRANGER))
    return folder


@pytest.fixture(scope="module")
def stricter(folder: Path) -> Path:
    """A policy for which nobody in Germany consents alone before eighteen."""
    return pack(folder, "stricter", {"ages": {"consent": AGES | {"DE": 18}}})


@pytest.fixture(scope="module")
def revision(stricter: Path) -> str:
    return parts(stricter)["revision"].decode().strip()


@pytest.fixture(scope="module")
def pair(installation: Installation) -> Iterator[list[Client]]:
    """Two processes that knew of anna, who agreed eight months ago, at seventeen, before anything was activated."""
    now = datetime.now(UTC)
    born = f"{now - timedelta(days=18 * 365.25 + 30):%Y-%m-%d}"
    facts = {"residence": "DE", "birth_date": born, "time_zone": "Europe/Berlin"}
    opt_in = QUESTION | {
        "id": str(uuid4()), "ts": (now - timedelta(days=243)).isoformat(), "action": "opt_in",
        "method": "double_opt_in", "evidence": "form and confirmation", "notice_version": "v3",
    }  # fmt: skip
    with ExitStack() as stack:
        services = [stack.enter_context(running("serve", "--port", "0", env=installation.env)) for _ in range(2)]
        clients = [stack.enter_context(closing(Client(each.url, installation.token))) for each in services]
        clients[0]("PUT", "/v1/subjects/anna", facts)
        assert clients[0]("POST", "/v1/records", {"records": [opt_in]})[0] == 201
        for client in clients:
            assert ask(client)[:2] == ("permit", SHIPPED)
        yield clients


@pytest.fixture
def activate(installation: Installation, folder: Path) -> Iterator[Callable[..., Any]]:
    """Types `volens policy activate`; afterwards the shipped policy governs again."""

    def command(*arguments: object) -> Any:
        words = [str(word) for word in arguments]
        cases = [] if "--cases" in words else ["--cases", str(folder / "cases.jsonl")]
        return typed("policy", "activate", *cases, *words, env=installation.env)

    yield command
    assert command("shipped").exit_code == 0


def ask(client: Client) -> tuple[str, str, str]:
    """Return the answer about anna, the revision it names, and its id."""
    status, answer = client("POST", "/v1/decisions", QUESTION)
    assert status == 200, answer
    return answer["decision"], answer["policy_revision"].partition("+")[0], answer["id"]


def activations(installation: Installation) -> list[str]:
    listed = json.loads(typed("policy", "revisions", "--json", env=installation.env).stdout)
    return [each["revision"] for each in listed["activations"]]


def test_unless_others_are_named_the_cases_of_the_suite_have_to_pass(installation: Installation, stricter: Path):
    result = typed("policy", "activate", "--dry-run", "--json", str(stricter), env=installation.env)

    outcome = json.loads(result.stdout)
    suite = (Path(__file__).parents[1] / "policy" / "cases").glob("*.jsonl")
    assert result.exit_code == 1
    assert outcome["cases"] == sum(len(file.read_bytes().splitlines()) for file in suite)
    assert {tuple(failed["engines"]) for failed in outcome["failures"]} == {("embedded", "opa")}


def test_the_very_next_check_on_every_process_is_under_it_and_back_again(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str
):
    for _ in range(3):
        assert activate(stricter).exit_code == 0
        assert [ask(client)[:2] for client in pair] == [("deny", revision)] * 2

        assert activate("shipped").exit_code == 0
        assert [ask(client)[:2] for client in reversed(pair)] == [("permit", SHIPPED)] * 2


def test_it_says_what_it_found_and_a_dry_run_stores_nothing(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str, installation: Installation
):
    ask(pair[0])
    before = activations(installation)
    tried = activate("--dry-run", "--json", stricter)
    told = json.loads(tried.stdout)

    assert tried.exit_code == 0
    assert (told["revision"], told["activated"], told["cases"]) == (revision, False, 1)
    assert (told["to_deny"], told["to_permit"], told["comparable"]) == (1, 0, True)
    assert told["facts"] >= 1
    assert json.loads(activate("--dry-run", "--json", "--days", "0", stricter).stdout)["facts"] == 0
    assert told["engines"] == ["embedded", "opa"], "the program that packed it is there"
    assert activations(installation) == before
    assert ask(pair[0])[0] == "permit"
    in_words = activate("--dry-run", stricter).stdout
    assert f"{revision} could govern; nothing was stored" in in_words
    assert "1 change from permit to deny, 0 from deny to permit" in in_words


def test_its_verdicts_on_recent_facts_are_there_before_anybody_asks(
    pair: list[Client], activate: Callable[..., Any], folder: Path, installation: Installation
):
    """A policy that has never governed, and under which nobody asks: else an answer would have stored the verdict."""
    fresh = pack(folder, "fresh", {"ages": {"consent": AGES | {"DE": 18, "AT": 18}}})
    revision = parts(fresh)["revision"].decode().strip()
    _, _, decision = ask(pair[0])
    assert kept(installation, decision, revision) == []
    assert activate(fresh).exit_code == 0

    assert [verdict["allow"] for verdict in kept(installation, decision, revision)] == [False]


def kept(installation: Installation, decision: str, revision: str) -> list[dict[str, Any]]:
    """Return the stored verdicts of a policy on what a decision rested on."""
    with psycopg.connect(installation.urls.owner) as owner:
        rows = owner.execute(
            "SELECT verdict.body FROM decision JOIN verdict USING (tenant, facts_hash)"
            " WHERE decision.id = %s AND verdict.revision = %s",
            (decision, revision),
        ).fetchall()
    return [json.loads(body) for (body,) in rows]


def test_what_it_would_change_is_what_was_said_last(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str
):
    assert ask(pair[0])[0] == "permit"
    assert activate(stricter).exit_code == 0
    assert ask(pair[0])[:2] == ("deny", revision)

    told = json.loads(activate("--dry-run", "--json", "shipped").stdout)
    assert (told["to_deny"], told["to_permit"]) == (0, 1)


def test_every_place_that_names_a_policy_names_the_active_one(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str
):
    assert activate(stricter).exit_code == 0
    for client in pair:  # nobody has asked for a decision since
        assert client("GET", "/health/ready") == (
            200,
            {
                "ready": True,
                "checks": {"database": True, "migrations": True, "policy": True, "log": True},
                "degraded": [],
                "policy_revision": revision,
            },
        )
        assert client("GET", "/v1/policy")[1]["revision"] == revision
        assert metric(client) == revision

    assert activate("shipped").exit_code == 0
    for client in pair:
        ask(client)
        assert metric(client) == SHIPPED


def metric(client: Client) -> str:
    (line,) = [each for each in client.text("/metrics").splitlines() if each.startswith("volens_policy{")]
    return line.split('"')[1]


def test_a_replay_tells_the_policy_of_then_and_that_of_now(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str
):
    _, _, decision = ask(pair[0])
    assert activate(stricter).exit_code == 0
    _, answer = pair[1]("GET", f"/v1/decisions/{decision}?replay=true")

    replay = answer["replay"]
    assert answer["policy_revision"] == SHIPPED
    assert (replay["revision_then"], replay["revision_now"]) == (SHIPPED, revision)
    assert (replay["same"], replay["decision_then"], replay["decision_now"]) == (False, "permit", "deny")


def test_the_list_and_the_audit_log_say_who_activated_what(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str, installation: Installation
):
    typed("tenant", "add", "second", env=installation.env)
    before = activations(installation)
    assert activate(stricter).exit_code == 0
    assert activate(revision).stdout == f"{revision} governs already\n"
    assert activate("shipped").exit_code == 0
    assert activate(revision).exit_code == 0, "an earlier one is found by its name"
    listed = typed("policy", "revisions", env=installation.env).stdout.splitlines()
    with psycopg.connect(installation.urls.owner) as owner:
        logged = {
            tenant: owner.execute(
                "SELECT object_id, actor FROM audit_entry WHERE event = 'policy.activated' AND tenant = %s"
                " ORDER BY at DESC LIMIT 3",
                (tenant,),
            ).fetchall()
            for tenant in ("acme", "second")
        }

    assert activations(installation) == [revision, SHIPPED, revision, *before]
    assert listed[0].endswith(f"Z  {revision}  operator")
    assert listed[-1] == f"shipped with this version  {SHIPPED}"
    assert logged["acme"] == logged["second"] == [(each, "operator") for each in (revision, SHIPPED, revision)]


def test_one_that_is_kept_comes_back_whatever_cases_of_today_say(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str, installation: Installation
):
    assert activate(stricter).exit_code == 0
    back = typed("policy", "activate", SHIPPED, env=installation.env)

    assert "no cases were played" in back.stdout
    assert [ask(client)[:2] for client in pair] == [("permit", SHIPPED)] * 2


@pytest.fixture(scope="module")
def refused(folder: Path, stricter: Path) -> dict[str, Path]:
    """Archives that must not govern."""
    files = parts(stricter)
    whole = stricter.read_bytes()
    contents = {
        "cut short": whole[: len(whole) // 2],
        "one byte changed": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
        "no archive": b"the law",
        "a file less": packed_again({name: files[name] for name in files if name != "rules.json"}),
        "another revision": packed_again(files | {"revision": b"sha256:" + b"0" * 64 + b"\n"}),
        "other data": packed_again(files | {"data.json": files["data.json"].replace(b"24", b"36")}),
        "no module": packed_again(files | {"policy.wasm": b"\0asm\1\0\0\0"}),
        "rules unexplained": packed_again(files | {"rules.json": b"[]"}),
    }
    archives = {name: folder / f"{name}.tar.gz" for name in contents}
    for name, content in contents.items():
        archives[name].write_bytes(content)
    actions = {"permissions": ["opt_in", "smile"]}
    archives["other actions"] = pack(folder, "other actions", {"actions": actions})
    archives["no edge"] = pack(folder, "no edge", {"periods": {"spain": 13}})
    return archives


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cut short", "the file is no archive of a policy, or is damaged"),
        ("one byte changed", "is damaged"),
        ("no archive", "the file is no archive of a policy"),
        ("a file less", "the archive holds other files than"),
        ("another revision", "the revision is not the hash of the content"),
        ("other data", "the data are not those of the bundle"),
        ("no module", "the module of the policy can't be loaded"),
        ("rules unexplained", "rules are named that nothing explains: "),
        ("other actions", "other actions or methods than this version; it takes the release that ships them"),
        ("no edge", "facts don't tell /periods/spain in data.json from its neighbours: `bands` know 3, 6, 12,"),
    ],
)
def test_what_is_damaged_or_needs_another_release_is_refused_and_nothing_changes(
    pair: list[Client],
    activate: Callable[..., Any],
    refused: dict[str, Path],
    installation: Installation,
    name: str,
    said: str,
):
    before = activations(installation)
    result = activate(refused[name])

    assert result.exit_code == 1, result.output
    assert said in refusal(result)
    assert activations(installation) == before
    assert ask(pair[0])[:2] == ("permit", SHIPPED)


def test_a_policy_that_fails_a_case_is_refused_with_the_difference(
    pair: list[Client],
    activate: Callable[..., Any],
    stricter: Path,
    revision: str,
    folder: Path,
    installation: Installation,
):
    before = activations(installation)
    (folder / "wish.jsonl").write_text(
        json.dumps(STRANGER | {"id": "a wish", "expect": {"allow": True, "basis": "none"}})
    )
    result = activate("--cases", folder / "wish.jsonl", "--cases", folder / "cases.jsonl", stricter)

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "a wish (embedded, opa): allow: expected True, got False",
        f"{revision} does not govern: 1 of 2 cases failed, and nothing was stored",
    ]
    assert activations(installation) == before


def test_the_same_revision_with_another_module_is_refused(
    activate: Callable[..., Any], stricter: Path, folder: Path, pair: list[Client]
):
    assert activate(stricter).exit_code == 0
    assert activate("shipped").exit_code == 0
    shutil.copyfile(stricter, folder / "twin.tar.gz")
    files = parts(stricter)
    (folder / "twin.tar.gz").write_bytes(packed_again(files | {"policy.wasm": files["policy.wasm"] + b"\0\1\0"}))

    assert "another module" in refusal(activate(folder / "twin.tar.gz"))


def test_an_overlay_that_it_cannot_measure_by_keeps_it_from_governing(
    pair: list[Client], activate: Callable[..., Any], folder: Path, installation: Installation
):
    tables = {"bands": {"months": [3, 6, 18, 24, 36]}, "periods": {"soft_opt_in": {"IE": 6}}}
    coarser = pack(folder, "coarser", tables)
    pair[0]("PUT", "/v1/policy/overlay", {"stale_months": 12})
    try:
        assert "`stale_months` in the overlay of acme" in refusal(activate(coarser))
    finally:
        pair[0]("PUT", "/v1/policy/overlay", {})
    tried = json.loads(activate("--dry-run", "--json", coarser).stdout)
    assert tried["comparable"] is False


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("sha256:" + "0" * 64, 1, "no policy of this revision is kept"),
        ("/nowhere/policy.tar.gz", 1, "/nowhere/policy.tar.gz: No such file"),
    ],
)
def test_what_is_not_there_is_said(activate: Callable[..., Any], name: str, code: int, said: str):
    result = activate(name)

    assert result.exit_code == code
    assert said in refusal(result)


def test_only_the_owner_of_the_tables_activates(installation: Installation, folder: Path, stricter: Path):
    env = {name: value for name, value in installation.env.items() if name != "VOLENS_OWNER_DATABASE_URL"}
    result = typed("policy", "activate", "--cases", str(folder / "cases.jsonl"), str(stricter), env=env)

    assert result.exit_code == 1
    assert "VOLENS_OWNER_DATABASE_URL" in refusal(result)


def test_an_opa_server_must_be_given_the_bundle_and_until_then_the_answer_is_no(
    pair: list[Client], activate: Callable[..., Any], stricter: Path, revision: str, installation: Installation,
    folder: Path,
):  # fmt: skip
    opa()
    (folder / "bundle.tar.gz").write_bytes(parts(stricter)["bundle.tar.gz"])
    with ExitStack() as stack:
        with opa_server(given.BUILD / "bundle.tar.gz") as url:
            env = {**installation.env, "VOLENS_OPA_URL": url}
            service = stack.enter_context(running("serve", "--port", "0", env=env))
            client = stack.enter_context(closing(Client(service.url, installation.token)))
            assert ask(client)[:2] == ("permit", SHIPPED)
            told = volens("policy", "activate", "--cases", str(folder / "cases.jsonl"), str(stricter), env=env).stdout
            assert "until that server has the bundle of this revision" in told
            assert client("POST", "/v1/simulations/decision", CASE)[0] == 503
        port = httpx.URL(url).port
        stack.enter_context(opa_server(folder / "bundle.tar.gz", port))
        status, answer = client("POST", "/v1/simulations/decision", CASE)

        assert (status, answer["policy_revision"].partition("+")[0]) == (200, revision)
