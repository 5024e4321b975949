"""docs/api.md, docs/api-vault.md, docs/audit-exports.md, docs/requests.md, docs/downstreams.md, docs/doors.md,
docs/erasure.md and the opening of README.md are true.

Their commands are played in order, and each answer that they show is the one that comes. An ellipsis in a documented
text stands for anything; as the last element of a list, or as a member's name, for more.
"""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from time import sleep
from typing import Any

from uuid_utils.compat import uuid7

from service import demo
from tests import doors
from tests.journeys.conftest import SCOPES, Installation
from tests.journeys.processes import Client, running, volens

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "api.md"
GOES_ON = ROOT / "docs" / "api-vault.md"
EXPORTS = ROOT / "docs" / "audit-exports.md"
REQUESTS = ROOT / "docs" / "requests.md"
ERASURE = ROOT / "docs" / "erasure.md"
DOWNSTREAMS = ROOT / "docs" / "downstreams.md"
DOORS = ROOT / "docs" / "doors.md"
MORE = "…"


def blocks(document: Path = DOCUMENT) -> list[str]:
    """Return the indented blocks of a document, without their indentation."""
    found = re.findall(r"(?:^    .*\n)+", document.read_text(), flags=re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() for block in found]


def commands(block: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield method, path and body of each `ask` or `second` in a block."""
    for command in re.split(r"^(?:ask|second) ", block, flags=re.MULTILINE)[1:]:
        words = shlex.split(command, comments=True)
        options = {words.pop(i): words.pop(i) for i in range(len(words) - 1, -1, -1) if words[i] in {"-X", "-d"}}
        (url,) = words
        body = options.get("-d")
        yield options.get("-X", "GET" if body is None else "POST"), url.removeprefix("$VOLENS"), body


def streamed(block: str) -> tuple[str, list[str]]:
    """Return the path and the lines of `printf '%s\\n' LINE… | curl … URL`."""
    sent, _, curl = shlex.join(shlex.split(block)).partition(" '|' ")
    return shlex.split(curl)[-1].removeprefix("$VOLENS"), shlex.split(sent)[2:]


def agrees(documented: Any, actual: Any) -> bool:
    match documented, actual:
        case str(), str() if MORE in documented:
            return re.fullmatch(".*".join(re.escape(part) for part in documented.split(MORE)), actual) is not None
        case dict(), dict():
            named = documented.keys() - {MORE}
            complete = MORE in documented or actual.keys() == named
            return complete and all(name in actual and agrees(documented[name], actual[name]) for name in named)
        case list(), list():
            some = documented[:-1] if documented[-1:] == [MORE] else documented
            enough = len(actual) > len(some) if some is not documented else len(actual) == len(some)
            return enough and all(agrees(*pair) for pair in zip(some, actual, strict=False))
        case _:
            return type(documented) is type(actual) and documented == actual


def token_of_a_second(installation: Installation) -> str:
    command = ("token", "--tenant", "acme", "--scope", "vault:officer vault:reveal", "--client", "second-officer")
    return volens(*command, env=installation.env).stdout.strip()


def test_the_document_shows_what_the_service_answers(installation: Installation, tmp_path: Path) -> None:
    decision = trial = approval = ""
    opened = doors.in_environment(doors.opened(tmp_path, lambda: datetime.now(UTC), "acme"))
    volens("tenant", "place", "acme", "--place", "DE-BE", "--time-zone", "Europe/Berlin", env=installation.env)
    with running("serve", "--port", "0", env=installation.env | opened) as service:
        status, answer = 0, None
        with (
            closing(Client(service.url, installation.token)) as first,
            closing(Client(service.url, token_of_a_second(installation))) as second,
        ):
            for block in [*blocks(), *blocks(GOES_ON), *blocks(REQUESTS), *blocks(DOWNSTREAMS), *blocks(DOORS)]:
                if block.startswith(("ask ", "second ")):
                    client = first if block.startswith("ask ") else second
                    for method, path, body in commands(block):
                        path = path.replace("$ID", decision).replace("$TRIAL", trial).replace("$APPROVAL", approval)
                        status, answer = client(method, path, body and json.loads(body))
                        while trial and path.endswith(trial) and answer["state"] in {"waiting", "running"}:
                            sleep(0.1)
                            status, answer = client(method, path)
                        if path == "/v1/decisions":
                            decision = answer["id"]
                        if path == "/v1/vault/approvals":
                            approval = answer["id"]
                        if path == "/v1/simulations/policy":
                            trial = answer["id"]
                elif block.startswith("printf "):
                    method, (path, lines) = "POST", streamed(block)
                    status, answer = first.stream(path, lines)
                elif block.startswith("{"):
                    shown = f"{method} {path}: {status}\n{json.dumps(answer, indent=2)}"
                    documented = block.splitlines() if isinstance(answer, list) else [block]
                    given = answer if isinstance(answer, list) else [answer]
                    assert agrees([json.loads(each) for each in documented], given), shown


def test_the_page_of_erasures_shows_what_the_service_answers(installation: Installation) -> None:
    answer: Any = None
    volens("tenant", "add", "forgetful", env=installation.env)
    token = volens("token", "--tenant", "forgetful", "--scope", SCOPES, env=installation.env).stdout.strip()
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        with closing(Client(service.url, token)) as client:
            for block, shown in pairwise([*blocks(ERASURE), ""]):
                if block.startswith("{"):
                    assert agrees(json.loads(block), answer), json.dumps(answer, indent=2)
                for method, path, body in commands(block) if block.startswith("ask ") else ():
                    status, answer = client(method, path, body and json.loads(body))
                    while path.endswith("/certificate") and status == 409:
                        sleep(0.1)
                        status, answer = client(method, path)
                    assert status < 300 or f'"status": {status}' in shown, answer


def test_the_page_of_exports_shows_what_the_service_answers(installation: Installation) -> None:
    export, link, answer = "", "", None
    volens("tenant", "add", "alone", env=installation.env)
    token = volens("token", "--tenant", "alone", "--scope", SCOPES, env=installation.env).stdout.strip()
    with running("serve", "--port", "0", env=installation.env) as service, running("work", env=installation.env):
        with closing(Client(service.url, token)) as client:
            client("PUT", "/v1/subjects/celia", {"residence": "IT"})
            record = {"id": str(uuid7()), "subject": "celia", "ts": "2026-11-20T12:00:00Z", "purpose": "marketing"}
            client("POST", "/v1/records", {"records": [record | {"channel": "email", "action": "opt_out"}]})
            while client("POST", "/v1/audit/exports/count", {})[1]["tree_size"] < 3:
                sleep(0.1)
            for block in blocks(EXPORTS):
                if block.startswith("{"):
                    written = block.replace(": …", ': "…"')
                    assert agrees(json.loads(written), numbered(written, answer)), json.dumps(answer, indent=2)
                for method, path, body in commands(block):
                    path = path.replace("$EXPORT", export)
                    status, answer = client(method, path, body and json.loads(body))
                    while path.endswith(f"/{export}") and answer["state"] in {"waiting", "running"}:
                        sleep(0.1)
                        status, answer = client(method, path)
                    assert status < 300, answer
                    export = answer["id"] if path == "/v1/audit/exports" and "id" in answer else export
                    link = answer.get("path", link)
            lines = client.text(link).splitlines()
    assert json.loads(lines[0])["format"] == "volens-audit-selection/v1"
    assert len(lines) == 5


def numbered(written: str, answer: Any) -> Any:
    """Return an answer with the numbers as texts for which the page has an ellipsis."""
    said = json.dumps(answer)
    for name in re.findall(r'"(\w+)": "…"', written):
        said = re.sub(rf'"{name}": (\d+)', rf'"{name}": "\1"', said)
    return json.loads(said)


def test_the_answer_that_the_readme_opens_with_is_the_one_the_demo_gives(installation: Installation) -> None:
    command, answer, *_ = blocks(ROOT / "README.md")
    question = json.loads(shlex.split(command)[-1])

    with running("serve", "--port", "0", env=installation.env) as service:
        demo.load(demo.Api(service.url, installation.token), datetime.now(UTC), uuid7)
        with closing(Client(service.url, installation.token)) as client:
            _, given = client("POST", "/v1/decisions", question)

    assert agrees(json.loads(answer), given), json.dumps(given, indent=2)


def test_every_operation_is_in_the_document() -> None:
    described = json.loads((ROOT / "openapi" / "openapi.json").read_text())["paths"]
    pages = DOCUMENT, GOES_ON, EXPORTS, REQUESTS, DOWNSTREAMS, DOORS, ERASURE
    shown = "".join(page.read_text() for page in pages)

    for template in described:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/ ?]+", re.escape(template))
        assert re.search(rf"{pattern}(?=[ ?\"`,)\n])", shown), template
