"""docs/api.md, docs/api-vault.md, docs/requests.md and the opening of README.md are true.

Their commands are played in order, and each answer that they show is the one that comes. An ellipsis in a documented
text stands for anything; as the last element of a list, or as a member's name, for more.
"""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any

from uuid_utils.compat import uuid7

from service import demo
from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "api.md"
GOES_ON = ROOT / "docs" / "api-vault.md"
REQUESTS = ROOT / "docs" / "requests.md"
MORE = "…"


def blocks(document: Path = DOCUMENT) -> list[str]:
    """Return the indented blocks of a document, without their indentation."""
    found = re.findall(r"(?:^    .*\n)+", document.read_text(), flags=re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() for block in found]


def commands(block: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield method, path and body of each `ask` in a block."""
    for command in re.split(r"^ask ", block, flags=re.MULTILINE)[1:]:
        words = shlex.split(command, comments=True)
        options = {words.pop(i): words.pop(i) for i in range(len(words) - 1, -1, -1) if words[i] in {"-X", "-d"}}
        (url,) = words
        body = options.get("-d")
        yield options.get("-X", "GET" if body is None else "POST"), url.removeprefix("$VOLENS"), body


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


def test_the_document_shows_what_the_service_answers(installation: Installation) -> None:
    decision = trial = ""
    with running("serve", "--port", "0", env=installation.env) as service:
        status, answer = 0, None
        with closing(Client(service.url, installation.token)) as client:
            for block in [*blocks(), *blocks(GOES_ON), *blocks(REQUESTS)]:
                if block.startswith("ask "):
                    for method, path, body in commands(block):
                        path = path.replace("$ID", decision).replace("$TRIAL", trial)
                        status, answer = client(method, path, body and json.loads(body))
                        while trial and path.endswith(trial) and answer["state"] in {"waiting", "running"}:
                            sleep(0.1)
                            status, answer = client(method, path)
                        if path == "/v1/decisions":
                            decision = answer["id"]
                        if path == "/v1/simulations/policy":
                            trial = answer["id"]
                elif block.startswith("{"):
                    shown = f"{method} {path}: {status}\n{json.dumps(answer, indent=2)}"
                    assert agrees(json.loads(block), answer), shown


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
    shown = DOCUMENT.read_text() + GOES_ON.read_text()

    for template in described:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/ ?]+", re.escape(template))
        assert re.search(rf"{pattern}(?=[ ?\"`,)\n])", shown), template
