"""The demo tenant: two people whose choices come in through the API, and two real questions."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import UUID

from rich.console import Console

from service.kernel import NewId

TENANT = "demo"
SCOPE = "decide records:write records:read subjects:write policy:read audit:read"


class Api:
    """The service as a client sees it: JSON over HTTP with a bearer token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the decoded answer; a problem is an answer too."""
        sent = None if body is None else json.dumps(body).encode()
        ask = Request(self.url + path, sent, method=method)  # noqa: S310 -- our own address
        ask.add_header("authorization", f"Bearer {self.token}")
        ask.add_header("content-type", "application/json")
        try:
            with urlopen(ask, timeout=30) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except HTTPError as problem:
            return problem.code, json.loads(problem.read())


def load(api: Api, now: datetime, new_id: NewId) -> None:
    """Store the demo people, once: a second start finds them."""
    status, _ = api("GET", "/v1/subjects/anna")
    if status == 200:
        return
    for subject in ("anna", "ben"):
        _expect(api("PUT", f"/v1/subjects/{subject}", _PERSON))
    agreed, refused = now - timedelta(days=30), now - timedelta(days=2)
    records = [
        *(_opt_in(subject, agreed, new_id()) for subject in ("anna", "ben")),
        {
            "id": str(new_id()),
            "subject": "ben",
            "ts": refused.isoformat(),
            "channel": "email",
            "purpose": "marketing",
            "action": "opt_out",
            "method": "unsubscribe_link",
        },
    ]
    _expect(api("POST", "/v1/records", {"records": records}))


_PERSON: Mapping[str, object] = {
    "residence": "DE",
    "birth_date": "1986-05-14",
    "time_zone": "Europe/Berlin",
    "is_customer": True,
}


def _opt_in(subject: str, at: datetime, id: UUID) -> dict[str, object]:
    return {
        "id": str(id),
        "subject": subject,
        "ts": at.isoformat(),
        "channel": "email",
        "purpose": "marketing",
        "action": "opt_in",
        "method": "double_opt_in",
        "evidence": "sign-up form, wording and confirmation click",
        "notice_version": "2026-03",
    }


def _expect(answer: tuple[int, Any]) -> None:
    status, body = answer
    if status >= 300:
        raise SystemExit(f"the demo data were refused: {status} {body.get('detail')}")


def ask(api: Api, console: Console) -> None:
    """Ask two real questions through HTTP and print question, answer and how to go on."""
    for subject in ("anna", "ben"):
        question = {"subject": subject, "channel": "email", "purpose": "marketing"}
        status, answer = api("POST", "/v1/decisions", question)
        if status not in {200, 201}:
            raise SystemExit(f"the demo question was refused: {status} {answer.get('detail')}")
        colour = "green" if answer["decision"] == "permit" else "red"
        console.print(f"\n[bold]May we send {subject} marketing by e-mail?[/bold]  {json.dumps(question)}")
        console.print(f"  [{colour}]{answer['decision']}[/{colour}]  basis: {answer['basis']}")
        for reason in answer["reasons"]:
            console.print(f"  {reason['effect']:>6}  {reason['rule']}  {reason['title']} ({reason['citation']})")
    console.print("\nAsk the next one yourself:\n")
    print_curl(api, console)
    console.print(f"\nEvery operation: {api.url}/docs    Stop with Ctrl-C.\n")


def print_curl(api: Api, console: Console) -> None:
    command = (
        f"curl -s {api.url}/v1/decisions -H 'Authorization: Bearer {api.token}' "
        "-H 'Content-Type: application/json' "
        """-d '{"subject": "ben", "channel": "email", "purpose": "service"}'"""
    )
    console.print(command, soft_wrap=True, markup=False, highlight=False)
