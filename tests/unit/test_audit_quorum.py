"""A policy says who must have cosigned, and is read strictly: c2sp.org/tlog-policy."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.findings import Kind
from service.audit.notes import COSIGNER, Checkpoint
from service.audit.quorum import Policy
from service.audit.signing import cosign, verifier_key
from service.audit.verifier import Verifier
from tests.audited import LOG_KEY, a_log, a_signer, refused

SIGNERS = {f"{side}{number}": a_signer(f"{side}{number}.example", COSIGNER, seed=10 * ord(side) % 200 + number)
           for side in "XY" for number in (1, 2, 3)}  # fmt: skip
WITNESSES = "".join(f"witness {name} {verifier_key(signer.key)}\n" for name, signer in SIGNERS.items())
TWO_SIDES = (
    f"# two organisations\n\nlog {verifier_key(LOG_KEY.key)} https://log.example\n{WITNESSES}"
    "group X-side 2 X1 X2 X3\n\tgroup  Y-side any Y1 Y2\tY3 \ngroup both all X-side Y-side\nquorum both\n"
)
LOG = a_log(3)


def test_a_policy_names_logs_witnesses_and_where_to_ask():
    text = f"witness w {verifier_key(SIGNERS['X1'].key)} https://w.example/volens/\nquorum w"

    policy = Policy.parse(text)

    assert [(each.name, each.key, each.url) for each in policy.witnesses] == [
        ("w", SIGNERS["X1"].key, "https://w.example/volens")
    ]
    assert Policy.parse(TWO_SIDES).logs == [LOG_KEY.key]
    assert len(Policy.parse(TWO_SIDES).keys) == 7


@given(st.sets(st.sampled_from(sorted(SIGNERS))))
def test_a_quorum_is_met_by_whom_it_says(names: set[str]):
    enough = len({"X1", "X2", "X3"} & names) >= 2 and bool({"Y1", "Y2", "Y3"} & names)

    assert Policy.parse(TWO_SIDES).met(names) is enough


def test_a_checkpoint_meets_the_policy_by_its_cosignatures():
    policy, note = Policy.parse(TWO_SIDES), LOG.checkpoint()
    for number in range(4):
        for names in combinations(SIGNERS, number):
            text = note
            for name in names:
                text = cosign(text, SIGNERS[name], 5)
            if policy.met(names):
                policy.verify(Checkpoint.parse(text))
                continue
            with refused(Kind.UNWITNESSED):
                policy.verify(Checkpoint.parse(text))


def test_nobody_cosigns_by_another_key_of_the_same_name():
    note = cosign(LOG.checkpoint(), a_signer("X1.example", COSIGNER, seed=99), 5)

    with refused(Kind.UNWITNESSED):
        Policy.parse(f"{WITNESSES}quorum X1").verify(Checkpoint.parse(note))


def test_one_cosignature_does_not_count_twice():
    note = cosign(cosign(LOG.checkpoint(), SIGNERS["X1"], 5), SIGNERS["X1"], 6)

    with refused(Kind.UNWITNESSED):
        Policy.parse(f"{WITNESSES}group two 2 X1 X2\nquorum two").verify(Checkpoint.parse(note))


def test_the_log_is_no_witness_of_itself():
    assert [name for name, _, _ in Checkpoint.parse(LOG.checkpoint()).note.signatures] == [LOG_KEY.key.name]

    with refused(Kind.UNWITNESSED):
        Policy.parse(f"{WITNESSES}group one any X1 X2\nquorum one").verify(Checkpoint.parse(LOG.checkpoint()))


def test_a_policy_may_name_a_log_without_saying_where_it_is():
    policy = Policy.parse(f"log {verifier_key(LOG_KEY.key)}\nquorum none")
    verifier = Verifier({}, policy=policy)
    verifier.checkpoint(LOG.checkpoint(), "checkpoint")

    assert policy.logs == [LOG_KEY.key]
    assert len(verifier.report.proved) == 1, "and its key is believed"


def test_any_is_one_and_addresses_keep_their_last_letter():
    policy = Policy.parse(f"witness w {ONE} https://w.example/X/\ngroup g any w\nquorum g")

    assert policy.met({"w"})
    assert not policy.met(set())
    assert policy.witnesses[0].url == "https://w.example/X"


def test_a_line_that_is_wrong_is_named():
    with refused(Kind.FORMAT, "line 2 of the policy"):
        Policy.parse(f"witness w {ONE}\nnonsense\nquorum w")


def test_who_wants_no_quorum_says_so():
    Policy.parse("quorum none").verify(Checkpoint.parse(LOG.checkpoint()))


ONE = verifier_key(SIGNERS["X1"].key)
TWO = verifier_key(SIGNERS["X2"].key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# quorum none",
        f"witness w {ONE}",
        f"witness w {ONE}\nquorum v",
        f"witness w {ONE}\nquorum w\nquorum w",
        f"quorum w\nwitness w {ONE}",
        "quorum none none",
        f"witness w {ONE}\nquorum g any w\nquorum w",
        f"witness none {ONE}\nquorum none",
        f"witness w {ONE}\nwitness v {ONE}\nquorum w",
        f"witness w {ONE}\nwitness w {TWO}\nquorum w",
        f"witness w {verifier_key(LOG_KEY.key)}\nquorum w",
        f"log {ONE}\nquorum none",
        f"log {verifier_key(LOG_KEY.key)}\nlog {verifier_key(LOG_KEY.key)}\nquorum none",
        f"witness w {ONE[:-4]}AAA=\nquorum w",
        f"witness w {ONE} https://w.example more\nquorum w",
        f"witness w\n{ONE}\nquorum w",
        f"witness w {ONE}\ngroup g 2 w\nquorum g",
        f"witness w {ONE}\ngroup g 0 w\nquorum g",
        f"witness w {ONE}\ngroup g 01 w\nquorum g",
        f"witness w {ONE}\ngroup g -1 w\nquorum g",
        f"witness w {ONE}\ngroup g many w\nquorum g",
        f"witness w {ONE}\ngroup g all\nquorum g",
        f"witness w {ONE}\ngroup g any none\nquorum g",
        f"witness w {ONE}\ngroup w any w\nquorum w",
        f"witness w {ONE}\ngroup g any g\nquorum g",
        f"witness w {ONE}\ngroup g any w w\nquorum g",
        f"witness w {ONE}\ngroup g any w\ngroup h any w\nquorum h",
        f"Witness w {ONE}\nquorum w",
        f"witness\u00a0w {ONE}\nquorum w",
    ],
)
def test_what_is_no_policy_is_refused(text: str):
    with refused(Kind.FORMAT):
        Policy.parse(text)
