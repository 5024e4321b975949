"""What is kept in the vault turns up nowhere else, in no shape, whatever happens.

200 people have every built-in field, one of the tenant's own and labelled values, each with a mark that nothing else
has. They are imported, read, looked up, merged, forgotten, refused and crashed upon, by clients of real processes.
Then a dump of the database (by the `pg_dump` that comes with the embedded server), its files, and everything that the
processes printed, answered, counted and traced is searched for the values and for what can be made of them without a
key. A thief who puts the dump beside a ring of his own gets nothing from the service either.
"""

import base64
import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import psycopg
import pytest

from service import migrating
from service.postgres import DatabaseUrls, EmbeddedPostgres
from service.vault.ring_file import FileRing
from tests.journeys.canaries import DECOY, DIALLED, FIRST_YEAR, MARK, NAMES, PEOPLE, canary, everybody, who
from tests.journeys.searching import Found, Searcher, marks
from tests.journeys.vault_faults import err, refused_values
from tests.journeys.vault_life import (
    DELETED,
    ERASED,
    FORGOTTEN,
    HIDDEN,
    MERGED,
    REWRITTEN,
    SERVICE,
    TOLD_APART,
    live,
    read_all,
    reveal,
)
from tests.journeys.vault_site import Site, collector, database_at, dump, restore

Search = Callable[[bytes], set[Found]]
Shape = Callable[[bytes], bytes]
NOISE = b"".join(b"%d\t\\\\x%s\tacme\n" % (n, random.Random(n).randbytes(40).hex().encode()) for n in range(4))
DECOYED = Found(DECOY.lower(), "plain")
HASHES = (hashlib.md5, hashlib.sha1, hashlib.sha256)
DUMPED = "stolen.sql"


class Remains(NamedTuple):
    """What is left for a reader or a thief."""

    site: Site
    data: Path
    urls: DatabaseUrls
    revealed: list[dict[str, Any]]
    traces: bytes
    dump: bytes


@pytest.fixture(scope="module")
def search() -> Search:
    again = [canary(number, name, version) for number in (1, *REWRITTEN) for name in NAMES for version in (2, 3)]
    return Searcher([*everybody(), *again], refused_values()).found


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remains]:
    data: Path = tmp_path_factory.mktemp("data")
    with ExitStack() as stack:
        urls = stack.enter_context(EmbeddedPostgres(data))
        endpoint, traces = stack.enter_context(collector())
        migrating.apply_migrations(urls)
        with Site(data, urls, OTLP_ENDPOINT=endpoint) as site:
            for tenant in ("acme", "other"):
                site.command("tenant", "add", tenant)
            live(site)
            err(site)
            revealed = read_all(site)
            site.keep_metrics()
        yield Remains(site, data, urls, revealed, b"\n".join(traces), dump(data, database_at(urls, "volens")))


def bytea(text: bytes) -> bytes:
    """Return a column as a dump has it, with `text` somewhere in it."""
    return rb"\\x" + (b"\x01\x00" + text + b"\xff").hex().encode()


SHAPES: dict[str, Shape] = {
    "itself": bytes,
    "lower": bytes.lower,
    "upper": bytes.upper,
    "hex": lambda text: text.hex().encode(),
    "upper hex": lambda text: text.hex().upper().encode(),
    "hex after half a byte": lambda text: b"a" + text.hex().encode(),
    "bytea": bytea,
    "base64": base64.b64encode,
    "base64 after a byte": lambda text: base64.b64encode(b"\x00" + text),
    "base64 after two": lambda text: base64.b64encode(b"\x00\x00" + text),
    "base64 in a word": lambda text: b"x/" + base64.b64encode(text),
    "base64url": lambda text: base64.urlsafe_b64encode(text).rstrip(b"="),
    "URL": lambda text: quote(text, safe="").encode(),
    "JSON": lambda text: json.dumps(text.decode()).encode(),
    "lower in base64": lambda text: base64.b64encode(text.lower()),
    "upper in bytea": lambda text: bytea(text.upper()),
    "base64 in bytea": lambda text: bytea(base64.b64encode(text)),
    "hex in base64": lambda text: base64.b64encode(text.hex().encode()),
    "URL in bytea": lambda text: bytea(quote(text, safe="").encode()),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_found_in_whatever_shape_it_stands_there(search: Search, name: str):
    missed = [
        (shape, text)
        for text in canary(17, name).texts
        for shape, shaped in SHAPES.items()
        if not search(NOISE + shaped(text) + NOISE)
    ]

    assert missed == []
    assert canary(17, name).texts


@pytest.mark.parametrize("name", NAMES)
def test_a_hash_without_a_key_is_found_in_whatever_shape_it_stands_there(search: Search, name: str):
    given = canary(17, name)
    texts = [text for each in given.texts for text in (each, each.lower(), each.upper())]
    hashes = [hashed(text).digest() for text in (*texts, msgspec.msgpack.encode(given.kept)) for hashed in HASHES]
    in_words = ("hex", "upper hex", "bytea", "base64", "base64url", "base64 after a byte", "base64 in bytea")

    for shape in ("itself", *in_words):
        for each in hashes:
            what = {found.what for found in search(NOISE + SHAPES[shape](each) + NOISE)}
            assert any(f" of s-017 {name}" in told for told in what), shape
    shortened = hashes[0].hex()[:16].encode()
    assert search(NOISE + b'"' + shortened + b'"')


def test_what_is_no_canary_is_not_found(search: Search):
    alike = [MARK[1:].encode(), DIALLED.encode(), b"+491579138431234", b"2026-11-21", f"{FIRST_YEAR}-••-••".encode()]
    keyed = [hashlib.sha256(b"key" + text).digest() for text in canary(17, "email").texts]

    for text in (*alike, *keyed):
        for shape in ("itself", "hex", "bytea", "base64"):
            assert search(NOISE + SHAPES[shape](text) + NOISE) == set()


def test_every_person_has_every_field_and_who_may_read_it_gets_it_whole(remains: Remains):
    *lines, summary = remains.revealed
    plain = {line["subject"]: line["reveal"]["values"] for line in lines if line["outcome"] == "permit"}
    changed = {who(number) for number in (*FORGOTTEN, ERASED, HIDDEN, *REWRITTEN, *DELETED, *MERGED, *TOLD_APART)}
    everything: dict[str, dict[str, Any]] = {}
    for each in everybody():
        everything.setdefault(each.subject, {})[each.name] = json.loads(msgspec.json.encode(each.kept))

    assert len(everything) == PEOPLE
    gone = {"erased": len(FORGOTTEN) + 1, "unknown": 1}
    assert summary["summary"]["outcomes"] == gone | {"permit": PEOPLE - sum(gone.values())}
    assert {subject: plain[subject] for subject in everything if subject not in changed} == {
        subject: values for subject, values in everything.items() if subject not in changed
    }
    assert {who(number): plain[who(number)]["phone"] for number in REWRITTEN} == {
        who(number): canary(number, "phone", 2).kept for number in REWRITTEN
    }


def rows(dump: bytes, table: str) -> int:
    """Return how many rows of `table` are in a dump."""
    [copied] = re.findall(rb"^COPY %s \(.*?^\\\.$" % re.escape(table.encode()), dump, flags=re.MULTILINE | re.DOTALL)
    return len(copied.splitlines()) - 2


def test_a_dump_has_all_rows_and_no_value_and_no_hash_of_one(remains: Remains, search: Search):
    """Of the client's name, which has a mark too, the search says that it does search rows and audit entries."""
    assert rows(remains.dump, "public.vault_value") >= PEOPLE * len(NAMES)
    assert rows(remains.dump, "public.vault_index") > PEOPLE * 7
    assert rows(remains.dump, "public.vault_suppression") > 0
    assert rows(remains.dump, "public.audit_entry") > 1000
    assert rows(remains.dump, "public.outbox") > 400
    assert rows(remains.dump, "public.reveal") > PEOPLE
    assert rows(remains.dump, "jobs.procrastinate_periodic_defers") > 0
    assert search(remains.dump) == {DECOYED, Found(DECOY.lower(), "hex")}


def test_nothing_names_who_was_erased_and_hidden(remains: Remains):
    mark = re.compile(rb"\b%b\b" % re.escape(who(HIDDEN).encode()))

    assert mark.search(remains.dump) is None
    assert not [answer for answer in remains.site.answers[-PEOPLE:] if mark.search(answer.content) and answer.is_error]
    assert rows(remains.dump, "public.subject_tombstone") == 1
    assert who(ERASED).encode() in remains.dump, "the search does find ids"


def test_the_files_of_the_database_hold_no_value_either(remains: Remains):
    """Also what was deleted, the arguments of finished jobs, and the write-ahead log."""
    with psycopg.connect(remains.urls.admin, autocommit=True) as database:
        database.execute("CHECKPOINT")
    cluster = remains.data / "postgres" / "cluster"
    files = {path: path.read_bytes() for kept in ("base/*/[0-9]*", "pg_wal/0*") for path in cluster.glob(kept)}

    assert [path for path, held in files.items() if path.parent.name == "pg_wal" and b"measure_backlog" in held]
    found = {mark: path.name for path, held in files.items() for mark in marks(held)}
    assert DECOYED.what in found
    # a page may end in the middle of a name
    assert {mark: file for mark, file in found.items() if not DECOYED.what.startswith(mark)} == {}


def test_no_process_prints_a_value(remains: Remains, search: Search):
    logs = remains.site.logs()

    assert logs.count(b"database system is ready to accept connections") == 2, "a crash is in the server's log"
    assert logs.count(b"ready http://") == 2, "another in the service's"
    for event in (b'"event":"bug"', b'"event":"worker_started"', b'"status":503', b"FAULT"):
        assert event in logs
    assert search(logs) == {DECOYED}


def test_no_answer_tells_a_value_but_a_permitted_reveal(remains: Remains, search: Search):
    problems = remains.site.problems()
    told = b"\n".join(problem.content + repr(problem.headers.raw).encode() for problem in problems)
    plain = b"\n".join(answer.content for answer in remains.site.answers)

    assert {problem.status_code for problem in problems} == {
        400, 401, 403, 404, 409, 410, 412, 413, 415, 500, 503
    }  # fmt: skip
    kinds = {problem.headers["content-type"] for problem in problems if problem.url.path.startswith("/v1/")}
    assert kinds == {"application/problem+json"}
    assert search(told) == set()
    assert search(remains.site.told()) == {DECOYED}
    assert len(marks(plain)) > PEOPLE * len(NAMES), "reveals do tell them, and would be found"


def test_no_metric_and_no_trace_holds_a_value(remains: Remains, search: Search):
    counted = b'volens_requests_total{method="PUT",route="/v1/vault/{subject}/{field}",status="400"}'
    assert counted in remains.site.metrics
    assert b"POST /v1/vault/reveal" in remains.traces
    assert search(remains.site.metrics) == set()
    assert search(remains.traces) == set()


@pytest.fixture(scope="module")
def thief(remains: Remains, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service of the thief's on the database that the dump makes, with the ring that belongs to it."""
    data: Path = tmp_path_factory.mktemp("thief")
    (data / DUMPED).write_bytes(remains.dump)
    urls = restore(remains.data, remains.urls, "stolen", data / DUMPED)
    shutil.copy(remains.site.ring, data / "root.keys")
    with Site(data, urls, worker=False) as site:
        yield site


def ask_for_everything(site: Site) -> dict[str, int]:
    """Ask as a thief who signs his own tokens, and return the statuses of the answers."""
    wanted = {"field": "email", "value": canary(2, "email").sent}
    older = {"subject": who(REWRITTEN[0]), "fields": ["name"], "version": 1}
    return {
        "masked": site.ask("GET", f"/v1/vault/{who(2)}").status_code,
        "found": site.ask("POST", "/v1/vault/lookup", wanted).status_code,
        "revealed": reveal(site, None, subject=who(2), fields=NAMES, **SERVICE).status_code,
        "as an officer": reveal(site, None, subject=who(2), fields=NAMES, purpose="legal_claim").status_code,
        "an older version": reveal(site, None, **older, purpose="legal_claim").status_code,
    }


def test_a_stolen_dump_opens_with_the_ring_it_belongs_to(thief: Site):
    """Without this, the next test would prove nothing."""
    assert set(ask_for_everything(thief).values()) == {200}
    assert reveal(thief, 200, subject=who(2), fields=["name"], **SERVICE).json()["values"] == {
        "name": canary(2, "name").kept
    }


def test_a_stolen_dump_yields_nothing_with_another_ring(thief: Site, search: Search):
    thief.ring.unlink()
    before = len(thief.answers)
    assert set(ask_for_everything(thief).values()) == {503}, "no ring"
    FileRing.open(thief.ring)

    assert set(ask_for_everything(thief).values()) == {500}
    *lines, _ = read_all(thief)
    assert {line["outcome"] for line in lines if line["subject"] != who(HIDDEN)} == {"unavailable"}
    assert "FAULT" in thief.command("keys", "status")
    thief.command("keys", "rotate", "root")
    assert set(ask_for_everything(thief).values()) == {500}
    assert search(b"\n".join(answer.content for answer in thief.answers[before:])) <= {DECOYED}
    assert search(thief.logs()) == {DECOYED}


def test_a_stolen_dump_yields_nothing_to_who_replaces_its_keys(thief: Site, search: Search):
    """Emptied of keys, the vault takes new ones of the thief's: nobody is found by them, and nothing opens."""
    thief.ring.unlink(missing_ok=True)
    FileRing.open(thief.ring)
    before = len(thief.answers)
    with psycopg.connect(thief.urls.admin, autocommit=True) as database:
        database.execute("TRUNCATE vault_tenant_key, vault_secret_key, vault_subject_key")
    for each in everybody(0, 10):
        if each.name in ("email", "phone", "national_id"):
            found = thief.ask("POST", "/v1/vault/lookup", {"field": each.name, "value": each.sent}, expect=200)
            assert found.json() == {"subjects": []}

    assert set(ask_for_everything(thief).values()) == {200, 500}
    *lines, _ = read_all(thief)
    assert {line["outcome"]: line["reveal"]["values"] for line in lines if "reveal" in line} in ({}, {"permit": {}})
    assert len([line for line in lines if line["outcome"] == "unavailable"]) >= PEOPLE - len([*DELETED, ERASED, HIDDEN])
    assert search(b"\n".join(answer.content for answer in thief.answers[before:])) <= {DECOYED}
