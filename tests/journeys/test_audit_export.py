"""A pack of the demo in the hands of a stranger who has Python and nothing else."""

import base64
import csv
import json
import re
import shlex
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.commands import refusal, typed
from tests.journeys.processes import Client, environment, running, volens
from tests.journeys.test_up import wait_for

Lines = list[bytes]
NOTICE = {
    "texts": {"de": "Ja, Angebote – per E-Mail.\n<script>alert(1)</script>", "en": "Yes, \"send\" me offers."},
    "purposes": ["marketing"],
    "channels": ["email"],
    "controllers": ["ShopCo"],
}  # fmt: skip


@dataclass(frozen=True)
class Demo:
    env: Mapping[str, str]
    folder: Path
    url: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, as `make run` starts it, with a notice, and an export of its log in every format."""
    folder = tmp_path_factory.mktemp("exports")
    env = environment(folder / "data")
    with running("up", "--demo", "--port", "0", env=env) as service:
        wait_for(service, "/docs")
        scopes = "records:write records:read audit:read"
        token = volens("token", "--tenant", "demo", "--scope", scopes, env=env).stdout.strip()
        client = Client(service.url, token)
        status, _ = client("PUT", "/v1/notices/newsletter/versions/2026-03", NOTICE)
        assert status in (200, 201)
        until_placed(client, "notice.stored")
        [stored, *_] = client("GET", "/v1/audit/entries?event=record.stored")[1]["entries"]
        assert "volens-receipt/v1" in client.text(f"/v1/records/{stored['object_id']}/receipt"), "which makes their key"
        client.close()
        for form in ("pack", "ndjson", "csv"):
            exported(env, folder / form, "--format", form)
        (folder / "pack").rename(folder / "pack.zip")
        subprocess.run(
            [sys.executable, "-I", "-S", "-m", "zipfile", "-e", "pack.zip", "pack"], cwd=folder, check=True, timeout=60
        )
        yield Demo(env=env, folder=folder, url=service.url)


def until_placed(client: Client, event: str) -> None:
    """Wait until the worker has signed a tree with the newest entry of this event."""
    [*_, newest] = client("GET", f"/v1/audit/entries?event={event}")[1]["entries"]
    for _ in range(100):
        if client.text(f"/v1/audit/proofs/inclusion?entry={newest['id']}").startswith("c2sp.org/tlog-proof"):
            return
        time.sleep(0.1)
    raise AssertionError("the entry got no place")


def exported(env: Mapping[str, str], out: Path, *options: str) -> dict[str, object]:
    done = typed("audit", "export", "--tenant", "demo", "--out", str(out), *options, "--json", env=env)
    assert done.exit_code == 0, done.output
    told: dict[str, object] = json.loads(done.stdout)
    return told


def alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with its standard library and nothing else."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def lines_of(pack: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(pack) as read:
        return [json.loads(line) for line in read.read(name).splitlines()]


# --- the stranger -------------------------------------------------------------------------------


def test_a_stranger_follows_the_page_and_sees_it_verify_and_fail(demo: Demo):
    """Each line that the page tells to type, in its order."""
    page = (demo.folder / "pack" / "HOW-TO-VERIFY.md").read_text()
    verify, flip, again, change, changed = [
        shlex.split(line)[1:] for line in re.findall(r"^    (python3 .*)$", page, flags=re.MULTILINE)[1:]
    ]

    first = alone(demo.folder, *verify)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.endswith("7 proved, 0 wrong\n")
    assert alone(demo.folder, *flip).returncode == 0
    failed = alone(demo.folder, *again)
    last = len(lines_of(demo.folder / "pack.zip", "export.ndjson")) - 2
    assert failed.returncode == 1
    assert f"WRONG   changed.ndjson, entry {last}: LEAF" in failed.stdout
    assert alone(demo.folder, *change).returncode == 0
    failed = alone(demo.folder, *changed)
    assert failed.returncode == 1
    assert "WRONG   changed.zip, records.ndjson: MEMBER" in failed.stdout
    assert re.search(r"WRONG   changed.zip, records.ndjson, entry \d+: PAYLOAD", failed.stdout)


def test_the_keys_in_the_pack_are_those_that_the_service_tells(demo: Demo):
    page = (demo.folder / "pack" / "HOW-TO-VERIFY.md").read_text()
    [address] = re.findall(r"https://THE-SERVICE(/\S+)", page)
    client = Client(demo.url, "nobody")
    _, told = client("GET", address)
    client.close()

    assert (demo.folder / "pack" / "keys").read_text().splitlines() == [key["verifier_key"] for key in told["keys"]]
    assert told["origin"] in page


def _flip(lines: Lines) -> Lines:
    return [*lines[:5], lines[5].replace(b'"actor":"', b'"actor":"x', 1), *lines[6:]]


def _swap(lines: Lines) -> Lines:
    return [*lines[:5], lines[6], lines[5], *lines[7:]]


def _drop(lines: Lines) -> Lines:
    return lines[:5] + lines[6:]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (_flip, "export.ndjson, entry 4: LEAF"),
        (_drop, "export.ndjson, entry 4: RANGE_INCOMPLETE"),
        (_swap, "export.ndjson, entry 5: ORDER"),
        (lambda lines: lines[:-1], "RANGE_INCOMPLETE"),
        (lambda lines: [*lines, lines[-1]], "RANGE_EXCEEDED"),
    ],
    ids=["a byte is changed", "an entry is removed", "two are swapped", "the last is dropped", "one is there twice"],
)
def test_whoever_packs_it_again_is_found_out(demo: Demo, change: Callable[[Lines], Lines], finding: str):
    with zipfile.ZipFile(demo.folder / "pack.zip") as pack, zipfile.ZipFile(demo.folder / "again.zip", "w") as again:
        for member in pack.infolist():
            content = pack.read(member)
            if member.filename == "export.ndjson":
                content = b"".join(line + b"\n" for line in change(content.splitlines()))
            again.writestr(member, content)

    ran = alone(demo.folder, "pack/verify.py", "--keys", "pack/keys", "again.zip")

    assert ran.returncode == 1
    assert any(line.startswith("WRONG") and finding in line for line in ran.stdout.splitlines()), ran.stdout


def test_a_range_verifies_by_the_command_and_the_other_formats_agree(demo: Demo):
    verified = typed("audit", "verify", "--keys", str(demo.folder / "pack" / "keys"), str(demo.folder / "ndjson"))
    table = list(csv.DictReader((demo.folder / "csv").read_text().splitlines()))

    assert (verified.exit_code, verified.stdout.splitlines()[-1]) == (0, "1 proved, 0 wrong")
    assert [json.loads(row["index"]) for row in table] == list(range(len(table)))
    assert {row["tenant"] for row in table} == {"demo"}


def test_a_range_in_the_middle_verifies(demo: Demo):
    told = exported(demo.env, demo.folder / "middle.zip", "--format", "pack", "--first", "3", "--after", "7")

    ran = alone(demo.folder, "pack/verify.py", "--keys", "pack/keys", "middle.zip")

    assert (told["first"], told["after"], told["entries"]) == (3, 7, 4)
    assert "the 4 entries from 3 are those" in ran.stdout
    assert ran.returncode == 0


# --- what is in it ------------------------------------------------------------------------------


def test_records_and_decisions_stand_beside_the_entries_that_commit_to_them(demo: Demo):
    pack = demo.folder / "pack.zip"
    _, *entries = lines_of(pack, "export.ndjson")
    told = {(line["index"], line["entry"]["event"], line["entry"]["object"]) for line in entries}
    (_, *records), (_, *decisions) = lines_of(pack, "records.ndjson"), lines_of(pack, "decisions.ndjson")

    assert sorted((record["payload"]["action"], record["payload"].get("method", "")) for record in records) == [
        ("erased", ""),
        ("opt_in", "double_opt_in"),
        ("opt_in", "double_opt_in"),
        ("opt_out", "unsubscribe_link"),
    ]
    assert {(record["entry"], "record.stored", record["payload"]["id"]) for record in records} <= told
    assert {(decision["entry"], "decision.made", decision["payload"]["id"]) for decision in decisions} <= told
    assert all(line["salt"] for line in [*records, *decisions])
    assert {
        record["payload"]["action"]: (
            record["payload"].get("notice_version"),
            list(record["payload"].get("withheld", ())),
        )
        for record in records
    } == {"opt_in": ("2026-03", ["evidence"]), "opt_out": (None, []), "erased": (None, [])}
    revisions = {str(decision["payload"]["revision"]) for decision in decisions}
    for revision in revisions:
        rules = json.loads((demo.folder / "pack" / "rules" / f"{revision.replace(':', '-')}.json").read_text())
        texts = {rule["id"]: rule["title"] for rule in rules}
        for decision in decisions:
            assert all(texts[reason["rule"]] for reason in decision["payload"]["verdict"]["reasons"])


def test_each_record_has_a_receipt_that_says_the_same(demo: Demo):
    pack = demo.folder / "pack.zip"
    (_, *records), (_, *receipts) = lines_of(pack, "records.ndjson"), lines_of(pack, "receipts.ndjson")

    for record, receipt in zip(records, receipts, strict=True):
        claims = receipt["receipt"].split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        assert (receipt["entry"], told["jti"], told["sub"]) == (
            record["entry"],
            record["payload"]["id"],
            record["payload"]["handle"],
        )
        assert told["record"]["volens:statement"]["action"] == record["payload"]["action"]
        assert told["record"].get("volens:withheld", []) == list(record["payload"].get("withheld", ()))


def test_a_notice_is_there_as_it_was_shown_and_the_log_signed_for_it(demo: Demo):
    _, notice = lines_of(demo.folder / "pack.zip", "notices.ndjson")
    _, *entries = lines_of(demo.folder / "pack.zip", "export.ndjson")
    [stored] = [line for line in entries if line["entry"]["event"] == "notice.stored"]

    assert notice["payload"]["texts"] == NOTICE["texts"]
    assert (stored["entry"]["object"], stored["index"]) == ("newsletter/2026-03", notice["entry"])


def test_nobody_is_named_in_a_pack(demo: Demo):
    for file in (demo.folder / "pack").rglob("*"):
        if file.is_file():
            text = file.read_text()
            assert not re.search(r"\b(anna|ben)\b|mail\.example|confirmation click", text), file.name


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_the_page_runs_nothing_and_loads_nothing(demo: Demo):
    page = (demo.folder / "pack" / "index.html").read_text()
    seen = _Tags()
    seen.feed(page)

    assert not seen.tags & {"script", "img", "link", "iframe", "a", "object", "form"}
    assert seen.attributes <= {"lang", "charset", "http-equiv", "content"}
    assert "record.stored" in page
    assert "url(" not in page


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--tenant", "nobody", "--format", "pack", "--out", "{new}"], 1, "there is no tenant nobody"),
        (["--tenant", "No Body", "--format", "pack", "--out", "{new}"], 2, "a tenant's name is"),
        (["--tenant", "demo", "--format", "pack", "--out", "{old}"], 1, "there is such a file already"),
        (["--tenant", "demo", "--format", "csv", "--out", "{new}/no/where"], 1, "No such file or directory"),
        (["--tenant", "demo", "--format", "csv", "--out", "{new}", "--first", "999999"], 1, "the signed tree"),
        (["--tenant", "demo", "--format", "csv", "--out", "{new}", "--to", "2020-01-01"], 1, "in this period"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_one_line_and_leaves_no_file(demo: Demo, options, code, said):
    names = {"new": str(demo.folder / "new"), "old": str(demo.folder / "csv")}
    before = {file.name: file.stat().st_mtime_ns for file in demo.folder.iterdir() if file.is_file()}

    result = typed("audit", "export", *(option.format(**names) for option in options), env=demo.env)

    assert (result.exit_code, said in refusal(result)) == (code, True)
    assert {file.name: file.stat().st_mtime_ns for file in demo.folder.iterdir() if file.is_file()} == before


@pytest.mark.parametrize(
    "options", [["--from", "2026-01-01", "--first", "1"], ["--bom"], ["--from", "2026-01-01T00:00:00"]]
)
def test_options_that_do_not_go_together_are_wrong_usage(options: list[str]):
    result = typed("audit", "export", "--tenant", "demo", "--format", "ndjson", "--out", "new", *options)

    assert result.exit_code == 2


# --- a choice -----------------------------------------------------------------------------------


def test_a_stranger_verifies_what_was_picked_and_is_told_that_it_may_not_be_all(demo: Demo):
    told = exported(demo.env, demo.folder / "chosen.zip", "--format", "pack", "--event", "notice.stored")
    counted = typed("audit", "count", "--tenant", "demo", "--event", "notice.stored", "--json", env=demo.env)
    subprocess.run(
        [sys.executable, "-I", "-S", "-m", "zipfile", "-e", "chosen.zip", "chosen"], cwd=demo.folder, check=True
    )
    [command] = re.findall(r"^    python3 (.*)$", (demo.folder / "chosen/HOW-TO-VERIFY.md").read_text(), re.MULTILINE)
    typed_in = shlex.split(command.replace("KEYS", "keys"))

    first = alone(demo.folder / "chosen", *typed_in)
    whole = demo.folder / "chosen" / "selection.ndjson"
    whole.write_bytes(whole.read_bytes().replace(b'"notice.stored"', b'"notice.stores"'))
    failed = alone(demo.folder / "chosen", *typed_in)

    assert json.loads(counted.stdout)["entries"] == told["entries"] > 0
    assert first.returncode == 0
    assert "whether others belong to them is not proved" in first.stdout
    assert (failed.returncode, "LEAF" in failed.stdout) == (1, True)


@pytest.mark.parametrize("option", [("--event", "no.such"), ("--rule", "no rule"), ("--filter", "none")])
def test_a_choice_that_makes_no_sense_is_refused(demo: Demo, option: tuple[str, str]):
    result = typed("audit", "count", "--tenant", "demo", *option, env=demo.env)

    assert result.exit_code == (1 if option[0] == "--filter" else 2), result.output
