"""The demo tenant: choices and addresses that come in through the API, questions, requests of people, and proofs."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener
from uuid import UUID

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from service.kernel import DomainError, NewId
from service.own_files import replace_own

TENANT = "demo"

QUESTIONS: Final = {
    "anna": "May we send anna marketing by e-mail?",
    "ben": "May we send ben marketing by e-mail? He has withdrawn his consent.",
}


ACCESS: Final = "anna"
"""Who asks what is kept about her, with a token of her own."""
_ACCESS: Final = "01939b66-0000-7000-8000-0000000000c0"
_REQUEST: Final = "01939b66-0000-7000-8000-0000000000c1"
SEAT: Final = ("DE-BE", "Europe/Berlin")
_PACK: Final = {"format": "pack", "purpose": "internal_audit"}
_PATIENCE: Final = 30.0
"""Seconds that the worker may take for its part."""


class DemoRefused(DomainError):
    """The service does not answer the demo as it should: it is broken, or its data are no demo's."""

    code = "demo_refused"


class DemoErased(DemoRefused):
    """Somebody of whom the demo asks was erased. The service is as it should be."""


class Api:
    """The service as a client sees it: JSON over HTTP with a bearer token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self._open = build_opener(ProxyHandler({})).open  # this machine is never behind a proxy

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the decoded answer; a problem is an answer too."""
        sent = None if body is None else json.dumps(body).encode()
        ask = Request(self.url + path, sent, method=method)  # noqa: S310 -- our own address
        ask.add_header("authorization", f"Bearer {self.token}")
        ask.add_header("content-type", "application/json")
        try:
            with self._open(ask, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as problem:
            with problem:
                return problem.code, json.loads(problem.read())

    def fetch(self, path: str, *, linked: bool = False) -> bytes:
        """Return a file; what is behind a link needs no token."""
        ask = Request(self.url + path)  # noqa: S310 -- our own address
        if not linked:
            ask.add_header("authorization", f"Bearer {self.token}")
        with self._open(ask, timeout=30) as answer:
            content: bytes = answer.read()
        return content


def load(api: Api, now: datetime, new_id: NewId) -> None:
    """Store the demo people, once: a second start finds them. The records come last, all or none."""
    status, history = api("GET", "/v1/subjects/ben/records")
    if status == 200 and history["records"]:
        return
    for subject in ("anna", "ben"):
        _expect(api("PUT", f"/v1/subjects/{subject}", _PERSON))
        _expect(api("PUT", f"/v1/vault/{subject}/email", {"value": f"{subject}@mail.example"}))
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


def ask(api: Api, console: Console) -> None:
    """Ask two real questions through HTTP, read two addresses, and print what was asked, what came and how to go on."""
    for subject, title in QUESTIONS.items():
        question = {"subject": subject, "channel": "email", "purpose": "marketing"}
        answer = _expect(api("POST", "/v1/decisions", question))
        console.print(f"\n[bold]{title}[/bold]")
        console.print(f"  POST /v1/decisions\n  {json.dumps(question)}\n", markup=False, highlight=False)
        console.print(Padding(_reasons(answer), (0, 0, 0, 2), expand=False))
    _reveal(api, console)
    console.print("\nAsk the next one yourself:\n")
    _print_curl(api, console)


def show(api: Api, anna: Api, file: Path, console: Console) -> None:
    """Have anna ask what is kept about her, and fetch it, once. Without it, say why."""
    place = f"/v1/requests/{_ACCESS}"
    try:
        if anna("GET", place)[0] == HTTPStatus.NOT_FOUND:
            _expect(
                anna("POST", "/v1/requests", {"id": _ACCESS, "subject": ACCESS, "right": "access", "via": "portal"})
            )
        stands = _expect(api("GET", place))
        if stands["state"] == "accepted":
            _expect(api("POST", f"{place}/execute", {"version": stands["version"]}))
        made = _waited(anna, f"{place}/package", lambda _, package: package.get("state") not in {"waiting", "running"})
        if made["state"] == "ready":
            replace_own(file, anna.fetch(f"{place}/package/file"))
        elif not file.exists():
            raise DemoRefused(f"the package is {made['state']}")
    except DemoRefused as refused:
        console.print(f"There is no package of what is kept about anna: {refused}.\n", markup=False, highlight=False)
        return
    console.print("[bold]anna asks what is kept about her.[/bold] She has it in one package, which she fetched once:\n")
    command = f"mkdir -p anna && python3 -m zipfile -e {file} anna    # then open anna/index.html\n"
    console.print(command, soft_wrap=True, markup=False, highlight=False)


def forget(api: Api, folder: Path, console: Console) -> None:
    """Have somebody erased, once, and say how to verify the certificate. Without one, say why."""
    certificate, keys = folder / "demo-certificate.json", folder / "demo-keys.txt"
    try:
        plan = _forgotten(api)
        issued = _waited(api, f"/v1/requests/{_REQUEST}/certificate", lambda status, _: status != HTTPStatus.CONFLICT)
        replace_own(certificate, json.dumps(issued).encode())
        stands = _expect(api("GET", f"/v1/requests/{_REQUEST}"))
        if stands["state"] == "executing":
            _expect(api("POST", f"/v1/requests/{_REQUEST}/complete", {"version": stands["version"]}))
        known = _expect(api("GET", f"/.well-known/volens/log-keys?tenant={TENANT}"))["keys"]
        replace_own(keys, "".join(f"{key['verifier_key']}\n" for key in known).encode())
    except DemoRefused as refused:
        console.print(f"Nobody was erased: {refused}.\n", markup=False, highlight=False)
        return
    console.print("[bold]carla asks to be forgotten.[/bold] What goes, and what stays:\n")
    shown = Table.grid(padding=(0, 2))
    for each in plan["goes"]:
        if each["count"]:
            shown.add_row(Text("goes", style="bold red"), f"{each['count']} {each['what']}")
    for each in plan["stays"]:
        shown.add_row("stays", Text(each["what"]).append(f", {each['citation']}", style="dim"))
    console.print(Padding(shown, (0, 0, 0, 2), expand=False))
    console.print("\nShe was erased, and has a certificate of it. Verify it with the same pack/verify.py:\n")
    command = f"python3 pack/verify.py --keys {keys} {certificate}\n"
    console.print(command, soft_wrap=True, markup=False, highlight=False)


def _forgotten(api: Api) -> Any:
    """Have carla erased, unless she was, and return the plan."""
    place = f"/v1/requests/{_REQUEST}"
    if api("GET", place)[0] == HTTPStatus.NOT_FOUND:
        _expect(api("PUT", "/v1/subjects/carla", _PERSON))
        _expect(api("PUT", "/v1/vault/carla/email", {"value": "carla@mail.example"}))
        _expect(api("POST", "/v1/requests", {"id": _REQUEST, "subject": "carla", "right": "erasure", "via": "email"}))
        _expect(api("POST", f"{place}/verify", {"version": 1, "reason": "staff_decision"}))
        _expect(api("POST", f"{place}/execute", {"version": 2}))
    return _expect(api("GET", f"{place}/plan"))


def hand_out(api: Api, file: Path, console: Console) -> None:
    """Have the log of the demo put into a pack that proves itself, and say how to see that.

    Without it, say why: a log that is halted keeps nobody from asking.
    """
    try:
        replace_own(file, _packed(api))
    except DemoRefused as refused:
        console.print(f"There is no pack of the log: {refused}.\n", markup=False, highlight=False)
        return
    console.print(
        "[bold]Why should anybody believe this?[/bold] Nobody has to. The whole log, with its proofs, is in\n"
    )
    console.print(f"  {file}\n", soft_wrap=True, markup=False, highlight=False)
    console.print("Verify it with nothing but Python, then change a byte of it and see where that shows:\n")
    command = f"python3 -m zipfile -e {file} pack && python3 pack/verify.py {file}\n"
    console.print(command, soft_wrap=True, markup=False, highlight=False)


def _packed(api: Api) -> bytes:
    for record in _expect(api("GET", "/v1/subjects/ben/records"))["records"]:
        _waited(api, f"/v1/records/{record['id']}/receipt", lambda status, _: status != HTTPStatus.CONFLICT)
    place = f"/v1/audit/exports/{_expect(api('POST', '/v1/audit/exports', _PACK))['id']}"
    made = _waited(api, place, lambda _, export: export.get("state") not in {"waiting", "running"})
    if made["state"] != "done":
        raise DemoRefused(f"its export is {made['state']}")
    return api.fetch(_expect(api("POST", f"{place}/link"))["path"], linked=True)


def _waited(api: Api, path: str, enough: Callable[[int, Any], bool]) -> Any:
    """Return what there is at a path once it is `enough`: the worker comes by several times a second."""
    until = time.monotonic() + _PATIENCE
    while not enough(*(answer := api("GET", path))) and time.monotonic() < until:
        time.sleep(0.1)
    return _expect(answer)


def _reveal(api: Api, console: Console) -> None:
    """Show an address masked, in plain where it may be used, and not at all where it may not."""
    console.print(
        "\n[bold]What are their addresses?[/bold] They lie in the vault, each person's under a key of their own."
    )
    for subject in ("anna", "ben"):
        values = _expect(api("GET", f"/v1/vault/{subject}"))["values"]
        wish = {"subject": subject, "fields": ["email"], "purpose": "marketing", "channel": "email"}
        status, answer = api("POST", "/v1/vault/reveal", wish)
        if status not in (HTTPStatus.OK, HTTPStatus.FORBIDDEN):
            _expect((status, answer))
        masked = ", ".join(value["masked"] for value in values)
        console.print(f"\n  GET /v1/vault/{subject}: {masked}", markup=False, highlight=False)
        told = answer["values"] if status == HTTPStatus.OK else answer["detail"]
        console.print(f"  POST /v1/vault/reveal {json.dumps(wish)}: {status}, {told}", markup=False, highlight=False)


def _reasons(answer: Mapping[str, Any]) -> Table:
    """Show the answer and the rules that decided; what was weighed beside them is in the answer itself."""
    decision = answer["decision"]
    shown = Table.grid(padding=(0, 2))
    shown.add_row(
        Text(decision, style="bold green" if decision == "permit" else "bold red"), f"basis: {answer['basis']}"
    )
    for reason in answer["reasons"]:
        if reason["effect"] == decision:
            shown.add_row(reason["rule"], Text(f"{reason['title']}\n").append(reason["citation"], style="dim"))
    return shown


def _print_curl(api: Api, console: Console) -> None:
    command = (
        f"curl -s {api.url}/v1/decisions -H 'Authorization: Bearer {api.token}' "
        "-H 'Content-Type: application/json' "
        """-d '{"subject": "ben", "channel": "email", "purpose": "service"}'\n"""
    )
    console.print(command, soft_wrap=True, markup=False, highlight=False)


def _expect(answer: tuple[int, Any]) -> Any:
    status, body = answer
    if status == HTTPStatus.GONE:
        raise DemoErased(f"somebody of whom the demo asks is not there any more: {body.get('detail')}")
    if status >= 300:
        raise DemoRefused(f"the demo was refused: {status}, {body.get('detail')}")
    return body
