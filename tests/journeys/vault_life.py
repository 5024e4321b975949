"""All that happens to canaries in a vault: kept, read, looked up, merged, forgotten, refused, and crashed upon."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest

from service import given, operations
from service.kernel import Caller, SubjectId, TenantId
from service.root_keys import guarded_root_keys, root_uses
from service.settings import Settings
from service.vault import DestroyKey, Forget
from service.vault.envelope import unseal
from service.vault.keys import Keys
from tests.journeys.canaries import NAMES, OWN_FIELD, PEOPLE, Canary, canary, everybody, marked, who
from tests.journeys.vault_site import NDJSON, Site, database_at, eventually

ACME = TenantId("acme")
SERVICE = {"purpose": "service", "channel": "email", "context": {"content": "service"}}
MARKETING = {"purpose": "marketing", "channel": "email"}
SINGLY = 5
"""So many people's values come one by one."""
FIRST_HALF = 100
MERGED, TOLD_APART = (10, 11), (12, 13)
SUPPRESSED = (20, 21)
FORGOTTEN = (*SUPPRESSED, 22)
ASKING = (FORGOTTEN[-1], 30)
REWRITTEN = range(60, 63)
DELETED = range(63, 65)
ERASED, HIDDEN = 66, 67
"""Of the second the id goes as well."""


def path(number: int, name: str) -> str:
    return f"/v1/vault/{who(number)}/{quote(name, safe='')}"


def line(each: Canary, **changes: Any) -> bytes:
    return json.dumps({"subject": each.subject, "field": each.name, "value": each.sent} | changes).encode() + b"\n"


def live(site: Site) -> None:
    """Do everything, in an order in which it works."""
    fill(site)
    crash(site)
    break_a_connection(site)
    read(site)
    request(site)
    rewrite(site)
    merge(site)
    forget(site)
    erase(site)
    rotate(site)
    lose_the_ring(site)


def fill(site: Site) -> None:
    own = {"type": "identifier", "sensitivity": "personal", "masking": "last_two", "indexed": True}
    site.ask("PUT", f"/v1/vault/fields/{OWN_FIELD}", own | {"purposes": ["service", "legal_claim"]}, expect=201)
    for number in range(SINGLY):
        for name in NAMES:
            site.ask("PUT", path(number, name), {"value": canary(number, name).sent}, expect=201)
    lines = [line(each) for each in everybody(SINGLY, FIRST_HALF)]
    lines[7:7] = [b"\n", b"{" + lines[0], line(canary(900, "email"), value=marked(900)), b"\xff" + lines[0]]
    done = imported(site, lines)
    assert (done["stored"], done["refused"]) == (len(NAMES) * (FIRST_HALF - SINGLY), 3)
    agreed = [agreement(number) for number in range(0, PEOPLE, 2)]
    for number in range(0, PEOPLE, 10):
        facts = {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin", "is_customer": True}
        site.ask("PUT", f"/v1/subjects/{who(number)}", facts)
    site.ask("POST", "/v1/records", {"records": agreed}, expect=201)


def agreement(number: int) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "subject": who(number),
        "ts": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
        "channel": "email",
        "purpose": "marketing",
        "action": "opt_in",
        "method": "double_opt_in",
        "evidence": "form and confirmation",
        "notice_version": "v1",
    }


def imported(site: Site, content: Iterable[bytes], import_id: str = "") -> dict[str, Any]:
    query = f"&import={import_id}" if import_id else ""
    answer = site.ask("POST", f"/v1/vault/import?refused_only=true{query}", content=content, kind=NDJSON, expect=200)
    return json.loads(answer.content.splitlines()[-1])


def crash(site: Site) -> None:
    """Kill the service while it stores an import and single values; then send the import again."""
    site.keep_metrics()
    import_id = str(uuid4())
    lines = [line(each) for each in everybody(FIRST_HALF)]
    putting = threading.Thread(target=put_until_it_ends, args=(site,))

    def cut_off() -> Iterator[bytes]:
        yield from lines[:700]
        eventually(lambda: how_far(site, import_id))
        site.kill()
        yield from lines[700:]

    putting.start()
    with pytest.raises(httpx.TransportError):
        imported(site, cut_off(), import_id)
    putting.join()
    site.start_again()
    done = imported(site, lines, import_id)
    assert (done["skipped"] >= 500, done["lines"], done["refused"]) == (True, len(lines), 0)


def put_until_it_ends(site: Site) -> None:
    with suppress(httpx.TransportError):
        for number in cycle(range(SINGLY)):
            site.ask("PUT", path(number, "email"), {"value": canary(number, "email").sent})


def how_far(site: Site, import_id: str) -> int:
    with psycopg.connect(database_at(site.urls, "volens")) as database:
        row = database.execute("SELECT done FROM vault_import WHERE id = %s", [import_id]).fetchone()
    return row[0] if row else 0


def break_a_connection(site: Site) -> None:
    """Kill a backend of the database in the middle of an import: the server tells its log, and begins anew."""
    import_id = str(uuid4())
    lines = [line(each) for each in everybody(30, 80)]

    def broken() -> Iterator[bytes]:
        yield from lines[:550]
        eventually(lambda: how_far(site, import_id))
        with psycopg.connect(database_at(site.urls, "volens")) as database:
            busy = "SELECT pid FROM pg_stat_activity WHERE usename = 'volens_app'"
            [backend, *_] = [pid for (pid,) in database.execute(busy)]
        os.kill(backend, signal.SIGKILL)
        yield from lines[550:]

    def ended(content: Iterable[bytes]) -> bool:
        answer = site.ask("POST", f"/v1/vault/import?import={import_id}", content=content, kind=NDJSON)
        return b'{"outcome":"done"' in answer.content

    def recovered() -> bool:
        """Say whether the service has no dead connection left in its pools."""
        wish = {"subject": who(0), "fields": ["name"]} | SERVICE
        return all(reveal(site, None, **wish).is_success for _ in range(20))

    assert not ended(broken())
    eventually(lambda: ended(lines))
    eventually(recovered)


def read(site: Site) -> None:
    for number in range(0, PEOPLE, 10):
        site.ask("GET", f"/v1/vault/{who(number)}?versions=true", expect=200)
        found = [canary(number, name) for name in ("email", "phone", "national_id", "device_id", OWN_FIELD)]
        for each in found:
            wanted = {"field": each.name, "value": each.sent.upper()}
            assert who(number) in site.ask("POST", "/v1/vault/lookup", wanted, expect=200).json()["subjects"]
        reveal(site, 200, subject=who(number), fields=NAMES, **SERVICE)
        reveal(site, 200, subject=who(number), fields=["email", "name", "birth_date"], **MARKETING)
        reveal(site, 403, subject=who(number + 1), fields=NAMES, **MARKETING)
    people = [json.dumps({"subject": who(number)}).encode() for number in range(PEOPLE)]
    people[3:3] = [b"{", json.dumps({"subject": canary(900, "email").sent}).encode(), b"\xff"]
    batch(site, {"fields": NAMES} | MARKETING, people)
    use_tokens(site)
    read_as_officers(site)
    for kind in ("audit/entries", "audit/entries?event=vault.revealed", "vault/approvals", "vault/fields"):
        site.ask("GET", f"/v1/{kind}", expect=200)


def reveal(site: Site, expect: int | None, client: str | None = None, **body: Any) -> httpx.Response:
    named = {} if client is None else {"client": client}
    return site.ask("POST", "/v1/vault/reveal", body, expect=expect, **named)


def batch(site: Site, question: dict[str, Any], people: Iterable[bytes]) -> list[dict[str, Any]]:
    content = b"\n".join([json.dumps(question).encode(), *people])
    answer = site.ask("POST", "/v1/vault/reveal/batch", content=content, kind=NDJSON, expect=200)
    return [json.loads(each) for each in answer.content.splitlines()]


def use_tokens(site: Site) -> None:
    wanted = {"subject": who(0), "field": "email", "purpose": "marketing", "recipient": "mailer"}
    token = site.ask("POST", "/v1/vault/tokens", wanted, expect=201).json()["token"]
    reveal(site, 200, "mailer", token=token, channel="email")
    reveal(site, 404, token=token, channel="email")
    site.ask("POST", "/v1/vault/tokens/revoke", {"token": token}, expect=200)
    reveal(site, 404, "mailer", token=token, channel="email")
    site.ask("POST", "/v1/vault/tokens", wanted, expect=201)


def read_as_officers(site: Site) -> None:
    reveal(site, 200, subject=who(1), fields=NAMES, purpose="legal_claim")
    reveal(site, 200, subject=who(0), fields=["email"], purpose="dsr_response", version=1)
    site.ask("POST", "/v1/vault/reveal/batch", {"purpose": "legal_claim", "fields": ["email"]}, kind=NDJSON, expect=409)
    read_all(site)


def read_all(site: Site) -> list[dict[str, Any]]:
    """Read everything about everybody, as officers may; return the lines, and the summary."""
    people = [json.dumps({"subject": who(number)}).encode() for number in range(PEOPLE)]
    return batch(site, {"fields": NAMES, "purpose": "legal_claim", "approval": approved(site, NAMES)}, people)


def approved(site: Site, fields: Iterable[str]) -> str:
    """Have two officers agree to read everybody, and return the approval."""
    wish = {"purpose": "legal_claim", "fields": list(fields), "subjects": PEOPLE, "reference": "7-O-12"}
    approval = str(site.ask("POST", "/v1/vault/approvals", wish, expect=201).json()["id"])
    assert site.ask("POST", f"/v1/vault/approvals/{approval}/approve").status_code == 409
    site.ask("POST", f"/v1/vault/approvals/{approval}/approve", client="second", expect=200)
    return approval


def request(site: Site) -> None:
    """Have people ask for their data, show who they are, and write; one of them is forgotten later."""
    for number in ASKING:
        asked = {"id": str(uuid4()), "subject": who(number), "right": "access", "place": "DE", "time_zone": "UTC"}
        site.ask("POST", "/v1/requests", asked, expect=201)
        place = f"/v1/requests/{asked['id']}"
        site.ask("POST", f"{place}/identity/code", {}, expect=202)
        said = {name: canary(number, name).sent for name in ("email", "name", "birth_date")}
        site.ask("POST", f"{place}/identity", {"said": said | {"email": canary(31, "email").sent}}, expect=409)
        letters = [{"text": canary(number, "free_text").sent}, canary(number, "document").sent | {"about": "identity"}]
        for letter in letters:
            kind = {"media_type": "application/pdf"} if "content" in letter else {}
            site.ask("POST", f"{place}/letters", letter | kind | {"id": str(uuid4())}, expect=201)
        site.ask("POST", f"{place}/identity", {"said": said}, expect=200)


def rewrite(site: Site) -> None:
    for name in NAMES:
        for number in REWRITTEN:
            site.ask("PUT", path(number, name), {"value": canary(number, name, 2).sent}, expect=200)
        for number in DELETED:
            site.ask("DELETE", path(number, name), expect=204)
        value = {"value": canary(REWRITTEN[0], name, 3).sent}
        site.ask("PUT", path(REWRITTEN[0], name), value, headers={"if-match": '"9"'}, expect=412)
    reveal(site, 200, subject=who(REWRITTEN[0]), fields=NAMES, purpose="legal_claim", version=1)


def merge(site: Site) -> None:
    for one, other in (MERGED, TOLD_APART):
        site.ask("PUT", path(other, "email#work"), {"value": canary(one, "email").sent}, expect=200)
        reveal(site, 403, subject=who(one), fields=["email"], **MARKETING)
    for (one, other), same in ((MERGED, True), (TOLD_APART, False)):
        site.ask("POST", f"/v1/subjects/{who(one)}/merge", {"with": who(other), "same": same}, expect=200)
    reveal(site, 200, subject=who(MERGED[1]), fields=[*NAMES, "email#merged"], purpose="legal_claim")


def forget(site: Site) -> None:
    asyncio.run(_forget(site))
    for number in FORGOTTEN:
        for name in ("email", "name"):
            site.ask("PUT", path(number, name), {"value": canary(number, name).sent}, expect=410)
        reveal(site, 410, subject=who(number), fields=NAMES, purpose="legal_claim")
        site.ask("GET", f"/v1/vault/{who(number)}", expect=410)
    for number in SUPPRESSED:
        for name in ("email", "phone", "national_id", "payment_ref", "device_id", OWN_FIELD):
            brought = {"value": canary(number, name).sent}
            back = f"/v1/vault/back-{number}/{name}"
            site.ask("PUT", back, brought, expect=409)
            site.ask("PUT", back, brought | {"reenrol": True}, scope="vault:write", expect=403)
            site.ask("PUT", back, brought | {"reenrol": True}, expect=201)
            refused = line(canary(number, name), subject="again", field=f"{name}#old")
            site.ask("POST", "/v1/vault/import", content=refused, kind=NDJSON, expect=200)


async def _forget(site: Site) -> None:
    by = Caller(tenant=ACME, actor="operator", request="canaries")
    settings = Settings(data_dir=str(site.data))
    async with operations.transactions(site.urls.app) as begin:
        async with guarded_root_keys(settings, root_uses(begin)) as root:
            keys = Keys(root, begin, given.utc_now, keep=timedelta())
            async with begin(ACME) as tx:
                handles = {number: await tx.subjects.handle_of(SubjectId(who(number))) for number in FORGOTTEN}
            forget, destroy = Forget(begin, keys, unseal, given.utc_now), DestroyKey(begin, given.utc_now)
            for number, handle in handles.items():
                if number in SUPPRESSED:
                    assert await forget(handle, by=by) > 0
                else:
                    assert await destroy(handle, by=by)


def erase(site: Site) -> None:
    """Erase two people by their requests, one with and one without a trace of the id."""
    for number, ids in ((ERASED, "--keep-ids"), (HIDDEN, "--hide-ids")):
        site.command("tenant", "erasing", "acme", ids)
        request = {"id": str(uuid4()), "subject": who(number), "right": "erasure", "via": "email"}
        place = f"/v1/requests/{request['id']}"
        site.ask("POST", "/v1/requests", request | {"place": "DE", "time_zone": "Europe/Berlin"}, expect=201)
        site.ask("POST", f"{place}/verify", {"version": 1, "reason": "staff_decision"}, expect=200)
        site.ask("POST", f"{place}/execute", {"version": 2}, expect=200)
        eventually(lambda place=place: site.ask("GET", f"{place}/certificate").is_success, 120)  # type: ignore[misc]
        site.ask("POST", f"{place}/complete", {"version": 3}, expect=200)
        site.ask("PUT", f"/v1/vault/again-{number}/email", {"value": canary(number, "email").sent}, expect=409)
        reveal(site, {ERASED: 410, HIDDEN: 404}[number], subject=who(number), fields=NAMES, purpose="legal_claim")


def rotate(site: Site) -> None:
    assert "are under version" in site.command("keys", "rotate", "root")
    assert "were put under version 2" in site.command("keys", "rotate", "tenant", "--no-wait")
    assert "email: " in site.command("keys", "rotate", "index", "--no-wait")
    assert "version 2" in site.command("keys", "status")


def lose_the_ring(site: Site) -> None:
    away = site.ring.rename(site.ring.with_name("away"))
    each = canary(2, "email")
    site.ask("GET", f"/v1/vault/{who(2)}", expect=503)
    site.ask("PUT", path(2, "email"), {"value": each.sent}, expect=503)
    site.ask("POST", "/v1/vault/lookup", {"field": "email", "value": each.sent}, expect=503)
    reveal(site, 503, subject=who(2), fields=NAMES, **SERVICE)
    told = site.ask("POST", "/v1/vault/import", content=line(each), kind=NDJSON, expect=200)
    assert b"cut_off" in told.content
    assert "FAULT" in site.command("keys", "status")
    away.rename(site.ring)
