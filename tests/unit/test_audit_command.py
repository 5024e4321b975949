"""The command of the verifier: what each option is for, what is printed, and how it ends."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.audit.anchors import anchor_line
from service.audit.quorum import Witness
from service.audit.signing import cosign
from service.audit.verify import main
from tests.audited import KEY_LINES, WITNESS, Log, a_log, a_receipt, an_entry
from tests.witnessing import policy_text

LOG = a_log(9)
FORKED = Log([an_entry(0, actor="nobody"), *LOG.entries[1:]])
SIGNED = "volens.example/acme signed a tree of"
EXPORTED = "the 9 entries from 0 are those that volens.example/acme signed, in a tree of 9; none is missing"
UNKNOWN = "note    no --keys were given: who signed is known on the word of the pack alone"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for log, name in ((LOG, "true"), (FORKED, "forked")):
        for size in (4, 6, 9):
            Path(f"{name}-{size}").write_text(log.checkpoint(size))
            anchor = anchor_line("2026-11-21T12:00:00+00:00", 0, [], log.checkpoint(size))
            Path(f"{name}-{size}.anchor").write_bytes(anchor)
    Path("keys").write_text(KEY_LINES)
    Path("export").write_bytes(LOG.export())
    Path("a-receipts").write_bytes(
        b'{"format":"volens-receipts/v1"}\n{"entry":5,"receipt":"%b"}\n' % a_receipt(LOG.entries[5]).encode()
    )
    Path("page").write_text("<p>a page</p>")
    return tmp_path


def a_pack(name: str, **members: bytes) -> None:
    with zipfile.ZipFile(name, "w") as pack:
        for member, content in members.items():
            pack.writestr(member, content)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> list[str]:
    assert main(["--keys", "keys", *arguments]) == code
    return capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("folder")
def test_it_says_what_is_proved_and_what_is_wrong_and_where(capsys: pytest.CaptureFixture[str]):
    assert told(capsys, "true-9", code=0) == [f"proved  true-9: {SIGNED} 9 entries", "1 proved, 0 wrong"]
    assert told(capsys, "true-9", "forked-9", "page", code=1) == [
        f"proved  true-9: {SIGNED} 9 entries",
        "WRONG   forked-9: FORK: two different trees of the same size; another tree of 9 entries was signed: true-9",
        "WRONG   page: FORMAT: not in the format; no evidence of a kind that this verifier knows",
        "1 proved, 2 wrong",
    ]


@pytest.mark.usefixtures("folder")
def test_receipts_wait_for_their_entries(capsys: pytest.CaptureFixture[str]):
    assert told(capsys, "a-receipts", "export", code=0) == [
        f"proved  export: {EXPORTED}",
        "proved  a-receipts: 1 receipts are about entries of volens.example/acme",
        "2 proved, 0 wrong",
    ]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("known", [("true-4", "forked-6"), ("forked-6", "true-4")])
def test_every_known_checkpoint_counts(known: tuple[str, str], capsys: pytest.CaptureFixture[str]):
    first, second = known

    assert told(capsys, "--known", first, "--known", second, "export", code=1) == [
        "WRONG   export, entries 0 to 5: CONSISTENCY: the older tree is not the beginning of the newer; "
        "they don't give the root of the known checkpoint of 6 entries",
        "0 proved, 1 wrong",
    ]
    assert told(capsys, "--known", "forked-9", "true-9", code=1)[0].endswith("was signed: forked-9")
    assert told(capsys, "--known", "true-9", "true-6", code=1)[0].startswith("WRONG   true-6: REPLAYED: ")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("trusted", [("true-4.anchor", "forked-6.anchor"), ("forked-6.anchor", "true-4.anchor")])
def test_every_anchor_counts(trusted: tuple[str, str], capsys: pytest.CaptureFixture[str]):
    first, second = trusted

    lines = told(capsys, "--anchor", first, "--anchor", second, "export", code=1)

    assert [line.partition(": ")[0] for line in lines] == [
        f"proved  {first}",
        f"proved  {second}",
        "WRONG   export, entries 0 to 5",
        "2 proved, 1 wrong",
    ]


@pytest.mark.usefixtures("folder")
def test_witnesses_must_have_cosigned_where_a_policy_says_so(capsys: pytest.CaptureFixture[str]):
    Path("policy").write_text(policy_text(Witness("w", WITNESS.key, None)))
    Path("cosigned").write_text(cosign(LOG.checkpoint(), WITNESS, 1_764_000_000))

    assert told(capsys, "--witnesses", "policy", "cosigned", code=0)[-1] == "1 proved, 0 wrong"
    assert told(capsys, "--witnesses", "policy", "true-9", code=1)[0].startswith("WRONG   true-9: UNWITNESSED: ")
    assert main(["--keys", "keys", "--witnesses", "page", "cosigned"]) == 2


@pytest.mark.usefixtures("folder")
def test_who_can_judge_time_stamps_is_asked(capsys: pytest.CaptureFixture[str]):
    stamp = {"format": "volens-timestamp/v1", "checkpoint": LOG.checkpoint(), "token": "AAAA"}
    Path("stamp").write_text(json.dumps(stamp))

    assert main(["--keys", "keys", "stamp"], stamps=lambda token, message: datetime(2026, 11, 22, tzinfo=UTC)) == 0
    assert "proved  stamp: volens.example/acme had signed a tree of 9 entries at 2026-11-22" in capsys.readouterr().out
    assert main(["--keys", "keys", "stamp"]) == 1


@pytest.mark.usefixtures("folder")
def test_a_part_is_incomplete_where_the_whole_is_asked_for(capsys: pytest.CaptureFixture[str]):
    Path("part").write_bytes(LOG.export(1))

    assert told(capsys, "--whole", "export", code=0)[-1] == "1 proved, 0 wrong"
    assert told(capsys, "part", code=0)[-1] == "1 proved, 0 wrong"
    assert told(capsys, "--whole", "part", code=1)[0].startswith("WRONG   part: RANGE_INCOMPLETE: ")


@pytest.mark.usefixtures("folder")
def test_keys_of_packs_are_believed_for_all_files_where_no_others_are_given(capsys: pytest.CaptureFixture[str]):
    a_pack("one", keys=KEY_LINES.encode(), checkpoint=LOG.checkpoint().encode())
    a_pack("bare", checkpoint=LOG.checkpoint(6).encode())
    a_pack("two", keys=KEY_LINES.rstrip("\n").encode(), checkpoint=LOG.checkpoint(4).encode())

    assert main(["one", "bare", "two", "true-9"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        UNKNOWN,
        f"proved  one, checkpoint: {SIGNED} 9 entries",
        f"proved  bare, checkpoint: {SIGNED} 6 entries",
        f"proved  two, checkpoint: {SIGNED} 4 entries",
        f"proved  true-9: {SIGNED} 9 entries",
        "4 proved, 0 wrong",
    ]
    assert main(["true-9"]) == 1
    assert ": UNKNOWN_KEY: " in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_pack_that_proves_nothing_is_no_success(capsys: pytest.CaptureFixture[str]):
    a_pack("nothing", keys=KEY_LINES.encode())

    assert told(capsys, "nothing", code=1) == ["0 proved, 0 wrong"]


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_read_is_said_beside_the_answer(capsys: pytest.CaptureFixture[str]):
    assert main(["--keys", "keys", "absent"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("can't verify: ")
    with pytest.raises(SystemExit):
        main([])


@pytest.mark.usefixtures("folder")
def test_no_sign_but_those_of_ascii_reaches_the_terminal(capsys: pytest.CaptureFixture[str]):
    Path(" ~\\\x7f\x1f\u00e9").write_text(LOG.checkpoint())

    assert told(capsys, " ~\\\x7f\x1f\u00e9", code=0)[0].startswith("proved   ~\\\\x7f\\x1f\\xe9: ")
