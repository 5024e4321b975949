"""Checkpoints, proofs, consistency and receipts: what proves them, and what is found when something is wrong."""

import base64
from collections.abc import Callable

import pytest

from service.audit.evidence import consistency_text, proof_text, receipt_text
from service.audit.findings import Kind, Report
from service.audit.signing import Signer, cosign
from service.audit.tiles import hashes_of, spans_of_consistency
from service.audit.verifier import Verifier
from tests import audited
from tests.audited import KEYS, LOG_KEY, RECEIPT_KEY, WITNESS, Log, a_log, a_signer, an_entry, found, kinds

LOG = a_log(300)


def a_proof(index: int = 7, size: int = 300, log: Log = LOG) -> str:
    return audited.a_proof(index, size, log)


def a_consistency(old: int = 100, new: int = 300, log: Log = LOG) -> str:
    return audited.a_consistency(old, new, log)


def a_receipt(index: int = 7, signer: Signer = RECEIPT_KEY, **changes) -> str:
    return audited.a_receipt(LOG.entries[index], signer, **changes)


def judged(evidence: str, judge: Callable[..., None], *known: str) -> Report:
    verifying = Verifier(KEYS)
    for note in known:
        verifying.known(note, "known")
    judge(verifying, evidence, "file")
    return verifying.report


# --- checkpoints ------------------------------------------------------------------------------


def test_a_checkpoint_is_proved_by_its_signature():
    assert judged(LOG.checkpoint(), Verifier.checkpoint).proved == [
        "file: volens.example/acme signed a tree of 300 entries"
    ]


def test_checkpoints_are_compared_with_all_that_were_seen():
    other = Log([an_entry(9999), *LOG.entries[1:]])
    verifying = Verifier(KEYS)
    verifying.checkpoint(LOG.checkpoint(), "a")
    verifying.checkpoint(LOG.checkpoint(200), "b")
    verifying.checkpoint(other.checkpoint(), "c")

    assert [(finding.kind, finding.place) for finding in verifying.report.findings] == [(Kind.FORK, "c")]
    assert verifying.report.findings[0].words.endswith("was signed: a")


def test_an_older_checkpoint_than_the_known_one_is_a_replay():
    assert kinds(judged(LOG.checkpoint(299), Verifier.checkpoint, LOG.checkpoint())) == [Kind.REPLAYED]
    assert kinds(judged(LOG.checkpoint(), Verifier.checkpoint, LOG.checkpoint(299))) == []


def test_a_known_checkpoint_must_be_signed_itself():
    report = judged(LOG.checkpoint(), Verifier.checkpoint, Log(LOG.entries, a_signer(seed=66)).checkpoint())

    assert [(finding.kind, finding.place) for finding in report.findings] == [(Kind.UNKNOWN_KEY, "known")]


def test_the_earliest_sight_of_a_tree_is_what_counts():
    verifying = Verifier(KEYS)
    for at in (1_800_000_009, 1_800_000_005, 1_800_000_007):
        verifying.known(cosign(LOG.checkpoint(), WITNESS, at), "known")

    assert verifying._witnessed == {"volens.example/acme": {300: 1_800_000_005}}


# --- one entry --------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 7, 255, 256, 299])
def test_a_proof_shows_the_entry_it_proves(index: int):
    [words] = judged(a_proof(index), Verifier.proof).proved

    assert words == f"file: entry {index} of volens.example/acme is in its tree of 300: {LOG.entries[index].decode()}"


def test_the_only_entry_of_a_tree_is_proved_by_nothing():
    only = Log([an_entry(0)])

    assert len(judged(a_proof(0, 1, only), Verifier.proof).proved) == 1


def test_an_entry_is_shown_in_ascii_whatever_is_in_it():
    only = Log(['{"actor":"Zoë"}'.encode()])

    assert judged(a_proof(0, 1, only), Verifier.proof).proved[0].endswith('{"actor":"Zo\\xc3\\xab"}')


def test_a_proof_may_come_without_its_entry():
    text = a_proof(7).replace(a_proof(7).split("\n")[1] + "\n", "")
    verifying = Verifier(KEYS)

    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 7\n")
    verifying.proof(text, "given", LOG.entries[7])
    verifying.proof(text, "missing")
    verifying.proof(text, "another", LOG.entries[8])
    assert [(finding.kind, finding.place) for finding in verifying.report.findings] == [
        (Kind.FORMAT, "missing"),
        (Kind.INCLUSION, "another"),
    ]


def test_a_proof_of_one_entry_is_none_of_another():
    proof = a_proof(7)
    lines = proof.split("\n")
    other = proof_text(7, [], "", LOG.entries[8]).split("\n")[1]

    for forged in (
        proof.replace("index 7", "index 8"),
        proof.replace("index 7", "index 300"),
        "\n".join([lines[0], other, *lines[2:]]),
        "\n".join([*lines[:3], *lines[4:]]),
        "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]),
    ):
        assert kinds(judged(forged, Verifier.proof)) == [Kind.INCLUSION]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("index 7", "index 07"),
        ("index 7", "index -7"),
        ("index 7", "index ٧"),
        ("index 7", "index"),
        ("index 7", "index " + "7" * 21),
        ("index 7", "index " + "7" * 5000),
        ("index 7\n", "index 7\nAA==\n"),
        ("index 7\n", "index 7\n?\n"),
        ("extra ", "extra  "),
        ("\n\n", "\n"),
    ],
)
def test_what_is_nearly_a_proof_is_refused(old: str, new: str):
    assert kinds(judged(a_proof().replace(old, new, 1), Verifier.proof)) == [Kind.FORMAT]
    assert kinds(judged("", Verifier.proof)) == [Kind.FORMAT]
    assert kinds(judged("c2sp.org/tlog-proof@v1\nextra YQ==", Verifier.proof)) == [Kind.FORMAT]


def test_a_proof_whose_tree_is_signed_by_nobody_proves_nothing():
    assert kinds(judged(a_proof(log=Log(LOG.entries, a_signer(seed=66))), Verifier.proof)) == [Kind.UNKNOWN_KEY]


# --- two trees --------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(1, 300), (100, 300), (256, 257), (299, 300), (300, 300), (0, 300)])
def test_a_tree_is_proved_to_be_the_beginning_of_a_later_one(old: int, new: int):
    assert judged(a_consistency(old, new), Verifier.consistency, LOG.checkpoint(new)).proved == [
        f"file: the {old} entries that volens.example/acme signed are the first of its {new}"
    ]


def test_a_rewritten_tree_is_not_the_beginning():
    rewritten = Log([an_entry(9999), *LOG.entries[1:]])
    proof = hashes_of(spans_of_consistency(100, 300), 300, rewritten.read)

    for old, new, path, kind in (
        (LOG.checkpoint(100), rewritten.checkpoint(), proof, Kind.CONSISTENCY),
        (LOG.checkpoint(), LOG.checkpoint(100), [], Kind.CONSISTENCY),
        (LOG.checkpoint(), rewritten.checkpoint(), [], Kind.FORK),
    ):
        assert kinds(judged(consistency_text(old, new, path), Verifier.consistency)) == [kind]


def test_another_log_is_not_the_beginning():
    stranger = a_signer("volens.example/other", seed=5)
    verifying = Verifier(KEYS | {(stranger.key.name, stranger.key.id): stranger.key})

    verifying.consistency(consistency_text(Log(LOG.entries, stranger).checkpoint(), LOG.checkpoint(), []), "file")

    assert kinds(verifying.report) == [Kind.CONSISTENCY]


# --- receipts ---------------------------------------------------------------------------------


def test_a_receipt_is_proved_with_its_entry():
    assert judged(receipt_text(a_receipt(), a_proof()), Verifier.receipt).proved == [
        "file: entry 7 of volens.example/acme stands for the receipt of r-7"
    ]


@pytest.mark.parametrize(
    ("forged", "kind"),
    [
        pytest.param(
            a_receipt(action="opt_out").split(".")[1], Kind.SIGNATURE, id="other claims under a true signature"
        ),
        pytest.param(a_receipt(signer=a_signer(RECEIPT_KEY.key.name, seed=66)), Kind.UNKNOWN_KEY, id="another key"),
        pytest.param(
            a_receipt(signer=type(RECEIPT_KEY)(key=RECEIPT_KEY.key, sign=LOG_KEY.sign)),
            Kind.SIGNATURE,
            id="a borrowed name",
        ),
        pytest.param(a_receipt(signer=LOG_KEY), Kind.UNKNOWN_KEY, id="the key of checkpoints"),
        pytest.param(a_receipt(signer=WITNESS), Kind.UNKNOWN_KEY, id="the key of a witness"),
        pytest.param(a_receipt(8), Kind.RECEIPT, id="of another entry"),
        pytest.param(a_receipt(jti="r-8"), Kind.RECEIPT, id="of another object"),
        pytest.param(a_receipt(leaf=None), Kind.RECEIPT, id="of no entry"),
    ],
)
def test_a_forged_receipt_is_found_out(forged: str, kind: Kind):
    if "." not in forged:
        header, _, signature = a_receipt().split(".")
        forged = f"{header}.{forged}.{signature}"

    assert kinds(judged(receipt_text(forged, a_proof()), Verifier.receipt)) == [kind]


def test_a_receipt_without_a_true_proof_is_worth_nothing():
    assert kinds(judged(receipt_text(a_receipt(), a_proof().replace("index 7", "index 8")), Verifier.receipt)) == [
        Kind.INCLUSION
    ]


def _jws(header: str) -> str:
    encoded = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
    _, claims, _ = a_receipt().split(".")
    signature = base64.urlsafe_b64encode(RECEIPT_KEY.sign(f"{encoded}.{claims}".encode())).decode().rstrip("=")
    return f"{encoded}.{claims}.{signature}"


KID = f"{RECEIPT_KEY.key.name}+{RECEIPT_KEY.key.id.hex()}"


@pytest.mark.parametrize(
    "jws",
    [
        _jws(f'{{"alg":"none","typ":"consent-receipt+jwt","kid":"{KID}"}}'),
        _jws(f'{{"alg":"EdDSA","typ":"JWT","kid":"{KID}"}}'),
        _jws(f'{{"alg":"EdDSA","typ":"consent-receipt+jwt","kid":"{KID}","crit":["b64"]}}'),
        _jws(f'{{"alg":"EdDSA","alg":"EdDSA","typ":"consent-receipt+jwt","kid":"{KID}"}}'),
        _jws('{"alg":"EdDSA","typ":"consent-receipt+jwt"}'),
        _jws("[]"),
        a_receipt() + "=",
        a_receipt().replace(".", ".\ud800", 1),
        a_receipt().replace(".", "+", 1),
        a_receipt() + ".",
        "..",
        "",
    ],
)
def test_what_is_nearly_a_receipt_is_refused(jws: str):
    assert kinds(judged(receipt_text(jws, a_proof()), Verifier.receipt)) == [Kind.FORMAT]


@pytest.mark.parametrize(("sign", "other"), [("-", "+"), ("_", "/")])
def test_a_signature_of_a_receipt_has_no_second_spelling(sign: str, other: str):
    signed = (a_receipt(action=f"opt_in {number}").rpartition(".") for number in range(1000))
    content, dot, signature = next(each for each in signed if sign in each[2] and each[2].count(sign) == 1)

    assert judged(receipt_text(f"{content}.{signature}", a_proof()), Verifier.receipt).findings == []
    forged = content + dot + signature.replace(sign, other)
    assert kinds(judged(receipt_text(forged, a_proof()), Verifier.receipt)) == [Kind.FORMAT]


def test_places_are_told_without_the_file():
    assert found(judged(LOG.checkpoint(299), Verifier.checkpoint, LOG.checkpoint())) == {(Kind.REPLAYED, "")}
