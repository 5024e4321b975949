"""Notes, keys and checkpoints: what is read, and everything that looks nearly like it and is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.audit.findings import Kind
from service.audit.notes import COSIGNER, LOG, Checkpoint, Key, Note, decoded, parse_keys
from service.audit.signing import Signer, checkpoint_text, cosign, signature_line, signed, verifier_key
from service.audit.tree import EMPTY
from tests.audited import KEY_LINES, KEYS, LOG_KEY, ORIGIN, WITNESS, a_signer, refused

ROOT = bytes(range(32))
TEXT = checkpoint_text(ORIGIN, 7, ROOT)
NOTE = signed(TEXT, [LOG_KEY])

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The example of golang.org/x/mod/sumdb/note."""


# --- keys -------------------------------------------------------------------------------------


def test_a_verifier_key_is_written_as_go_writes_it():
    key = Key.parse(GO_KEY)

    assert (key.name, key.type, key.id.hex()) == ("PeterNeumann", LOG, "c74f20a3")
    assert verifier_key(key) == GO_KEY


def test_keys_are_found_by_name_and_id():
    assert parse_keys(KEY_LINES) == KEYS
    assert parse_keys("") == {}
    assert parse_keys(f"\n{GO_KEY}\n{GO_KEY}\n") == {("PeterNeumann", bytes.fromhex("c74f20a3")): Key.parse(GO_KEY)}


@pytest.mark.parametrize(
    "text",
    [
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("PeterNeumann", "Peter Neumann"),
        GO_KEY.replace("PeterNeumann", ""),
        GO_KEY.replace("PeterNeumann", "PeterNeumann\u00a0"),
        GO_KEY[:-4],
        GO_KEY + "\r",
        GO_KEY.replace("+ARpc", "+AhpC"),
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
    ],
)
def test_what_is_nearly_a_key_is_refused(text: str):
    with refused(Kind.FORMAT):
        parse_keys(text)


def test_two_keys_that_share_name_and_id_are_refused():
    """An id has 32 bits: two such keys are found within a second."""
    one, other = (
        Key(ORIGIN, LOG, Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big")).public_key().public_bytes_raw())
        for seed in (7982, 19001)
    )

    assert one.id == other.id
    parse_keys(f"{verifier_key(one)}\n{verifier_key(one)}\n")
    with refused(Kind.FORMAT, "share a name"):
        parse_keys(f"{verifier_key(one)}\n{verifier_key(other)}\n")


def test_a_key_with_which_everything_holds_is_refused():
    weak = verifier_key(Key("weak", LOG, (1).to_bytes(32, "little")))

    with refused(Kind.SIGNATURE, "every signature"):
        parse_keys(weak)


@pytest.mark.parametrize("text", ["YQ", "YQ=", "YR==", "YQ==\n", " YQ==", "Y-_=", "é"])
def test_base64_has_one_spelling(text: str):
    assert decoded("YQ==") == b"a"
    with refused(Kind.FORMAT, "base64"):
        decoded(text)


# --- notes ------------------------------------------------------------------------------------


def test_the_note_of_go_is_read_and_its_signature_holds():
    note = Note.parse(GO_NOTE)

    assert note.verify(parse_keys(GO_KEY)) == [(Key.parse(GO_KEY), None)]
    assert note.text == GO_NOTE.partition("\n\n")[0] + "\n"


def test_signing_is_what_verifying_expects():
    assert Checkpoint.parse(NOTE).verify(KEYS) is None
    assert Note.parse(NOTE).verify(KEYS) == [(LOG_KEY.key, None)]


def test_the_text_ends_at_the_last_empty_line():
    note = signed("a\n\nb\n", [LOG_KEY])

    assert Note.parse(note).text == "a\n\nb\n"


def test_signatures_of_unknown_keys_are_ignored_whatever_is_in_them():
    stranger = a_signer(seed=9)
    junk = f"— {ORIGIN} {base64.b64encode(b'12345').decode()}\n"
    namesake = signature_line(Key("other", LOG, LOG_KEY.key.public), bytes(64))

    note = signed(TEXT, [stranger]) + junk + namesake + NOTE.partition("\n\n")[2]

    assert Checkpoint.parse(note).verify(KEYS) is None


def test_without_a_known_key_nothing_counts():
    with refused(Kind.UNKNOWN_KEY):
        Checkpoint.parse(NOTE).verify({})


def test_a_witness_alone_is_not_the_log():
    note = cosign(signed(TEXT, []) + signature_line(a_signer(seed=9).key, bytes(64)), WITNESS, 1_764_000_000)

    assert Note.parse(note).verify(KEYS) == [(WITNESS.key, 1_764_000_000)]
    with refused(Kind.UNKNOWN_KEY, f"known key of {ORIGIN}"):
        Checkpoint.parse(note).verify(KEYS)


def test_a_key_of_another_log_is_not_the_log():
    other = a_signer("volens.example/other")
    note = signed(TEXT, [other])

    with refused(Kind.UNKNOWN_KEY):
        Checkpoint.parse(note).verify({("volens.example/other", other.key.id): other.key})


def test_a_cosigner_of_the_logs_name_is_not_the_log():
    cosigner = a_signer(ORIGIN, COSIGNER)
    note = cosign(signed(TEXT, []) + signature_line(LOG_KEY.key, bytes(64)), cosigner, 5)

    with refused(Kind.UNKNOWN_KEY):
        Checkpoint.parse(note).verify({(ORIGIN, cosigner.key.id): cosigner.key})


def test_one_false_signature_of_a_known_key_spoils_the_note():
    for false in (signature_line(LOG_KEY.key, bytes(64)), signature_line(WITNESS.key, bytes(64), 5)):
        for note in (NOTE + false, NOTE.replace("\n\n", f"\n\n{false}")):
            with refused(Kind.SIGNATURE):
                Note.parse(note).verify(KEYS)


def test_cosignatures_say_when_and_the_first_time_counts():
    other = a_signer("witness.example/x", COSIGNER, seed=4)
    keys = {**KEYS, ("witness.example/x", other.key.id): other.key}
    note = cosign(cosign(NOTE, WITNESS, 1_764_000_009), other, 1_764_000_007)

    assert Checkpoint.parse(note).verify(keys) == 1_764_000_007
    assert Checkpoint.parse(note).verify(KEYS) == 1_764_000_009


def test_a_cosignature_is_for_its_time_alone():
    signature = WITNESS.sign(f"cosignature/v1\ntime 5\n{TEXT}".encode())

    Note.parse(NOTE + signature_line(WITNESS.key, signature, 5)).verify(KEYS)
    with refused(Kind.SIGNATURE):
        Note.parse(NOTE + signature_line(WITNESS.key, signature, 6)).verify(KEYS)


def test_a_time_that_no_calendar_has_is_refused():
    with refused(Kind.FORMAT, "time"):
        Note.parse(cosign(NOTE, WITNESS, 253_402_300_800)).verify(KEYS)
    Note.parse(cosign(NOTE, WITNESS, 253_402_300_799)).verify(KEYS)


def test_only_a_cosigner_says_when():
    for key, at in ((LOG_KEY.key, 5), (WITNESS.key, None)):
        with pytest.raises(ValueError, match="say when"):
            signature_line(key, bytes(64), at)


def test_a_note_with_a_hundred_signatures_is_read():
    note = NOTE + signature_line(a_signer(seed=9).key, bytes(64)) * 99

    assert Checkpoint.parse(note).verify(KEYS) is None


LINE = NOTE.partition("\n\n")[2]


@pytest.mark.parametrize(
    "note",
    [
        pytest.param("", id="nothing"),
        pytest.param(TEXT, id="no signature"),
        pytest.param(f"{TEXT}\n", id="no signature line"),
        pytest.param(NOTE.partition("\n\n")[2], id="no text"),
        pytest.param(f"{NOTE[:-1]}x", id="another end of line"),
        pytest.param(NOTE[:-1], id="no end of line"),
        pytest.param(NOTE.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(NOTE.replace("acme", "ac\tme"), id="a control character"),
        pytest.param(NOTE.replace("acme", "ac\x00me"), id="zero"),
        pytest.param(NOTE.replace("acme", "ac\x1fme"), id="the last control character"),
        pytest.param(NOTE.replace("acme", "ac\ud800me"), id="half a character"),
        pytest.param(NOTE.replace("— ", "- "), id="another dash"),
        pytest.param(NOTE.replace("— ", "—"), id="no space"),
        pytest.param(NOTE.replace("— ", "—  "), id="no name"),
        pytest.param(f"{TEXT}\n{LINE.replace('acme', 'ac+me')}", id="a plus in the name"),
        pytest.param(TEXT + "\n" + LINE.replace("acme", "ac\u2003me"), id="a space in the name"),
        pytest.param(f"{TEXT}\n{LINE[:-1]} \n", id="a space at the end"),
        pytest.param(f"{TEXT}\n— {ORIGIN} AAAAAA==\n", id="an id and no signature"),
        pytest.param(f"{TEXT}\n— {ORIGIN}\n", id="a name and no signature"),
        pytest.param(f"{TEXT}\n{LINE}x\n", id="something behind"),
        pytest.param(f"{TEXT}\n{LINE}" + "x" * (1 << 20), id="too long"),
    ],
)
def test_what_is_nearly_a_note_is_refused(note: str):
    with refused(Kind.FORMAT):
        Note.parse(note)


def test_a_long_note_is_refused_for_its_length():
    rest = len(signed("\n", [LOG_KEY]))

    Note.parse(signed("x" * ((1 << 20) - rest) + "\n", [LOG_KEY]))
    with refused(Kind.FORMAT):
        Note.parse(signed("x" * ((1 << 20) - rest + 1) + "\n", [LOG_KEY]))


# --- checkpoints ------------------------------------------------------------------------------


def test_a_checkpoint_says_which_log_how_many_and_the_root():
    checkpoint = Checkpoint.parse(NOTE)

    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 7, ROOT)
    assert checkpoint.note.text == TEXT == f"{ORIGIN}\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n7\n", "\n07\n"),
        TEXT.replace("\n7\n", "\n-7\n"),
        TEXT.replace("\n7\n", "\n+7\n"),
        TEXT.replace("\n7\n", "\n7 \n"),
        TEXT.replace("\n7\n", "\n\n"),
        TEXT.replace("\n7\n", "\n٧\n"),
        TEXT.replace("\n7\n", f"\n{1 << 63}\n"),
        TEXT.replace("\n7\n", "\n10000000000000000000\n"),
        TEXT.replace("8=\n", "9=\n"),
        TEXT.replace("Hh8=\n", "Hg==\n"),
        TEXT.replace("Hh8=\n", "Hh8gIQ==\n"),
        f"{TEXT}an extension line\n",
        TEXT.partition("\n")[2],
        f"\n{TEXT.partition(chr(10))[2]}",
        TEXT.replace("acme", "ac me"),
        TEXT.replace("acme", "ac+me"),
    ],
)
def test_what_is_nearly_a_checkpoint_is_refused(text: str):
    with refused(Kind.FORMAT):
        Checkpoint.parse(signed(text, [LOG_KEY]))


def test_the_largest_tree_has_a_checkpoint():
    assert Checkpoint.parse(signed(checkpoint_text(ORIGIN, (1 << 63) - 1, ROOT), [LOG_KEY])).size == (1 << 63) - 1


def test_an_empty_tree_has_one_root():
    assert Checkpoint.parse(signed(checkpoint_text(ORIGIN, 0, EMPTY), [LOG_KEY])).size == 0
    with refused(Kind.ROOT):
        Checkpoint.parse(signed(checkpoint_text(ORIGIN, 0, ROOT), [LOG_KEY]))


@pytest.mark.parametrize(
    ("origin", "size", "root"), [("a b", 1, ROOT), ("a", -1, ROOT), ("a", 1, ROOT[1:]), ("", 1, ROOT)]
)
def test_what_is_no_checkpoint_is_not_signed(origin: str, size: int, root: bytes):
    with pytest.raises(ValueError, match="checkpoint"):
        checkpoint_text(origin, size, root)


def test_a_signer_signs_the_text_as_it_is():
    asked: list[bytes] = []
    signer = Signer(key=LOG_KEY.key, sign=lambda message: asked.append(message) or bytes(64))

    signed(TEXT, [signer])
    cosign(NOTE, Signer(key=WITNESS.key, sign=signer.sign), 5)

    assert asked == [TEXT.encode(), b"cosignature/v1\ntime 5\n" + TEXT.encode()]
