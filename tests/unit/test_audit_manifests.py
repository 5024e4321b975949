"""Manifests: how they are spelled, and members of any size. What is changed in a pack: `test_audit_payloads.py`."""

import hashlib
import hmac
import io

import pytest

from service.audit.commitments import salt_of, withheld
from service.audit.findings import Kind
from service.audit.manifests import manifest_members, measured_member
from service.audit.signing import signed
from tests.audited import KEYS, LOG_KEY, ORIGIN, a_manifest, refused

LINE = f"{'0' * 64} 0 page\n"


def test_a_manifest_has_every_member_or_none():
    assert manifest_members(a_manifest({}).decode(), KEYS) == {}
    assert manifest_members(a_manifest({"a b": b"c"}).decode(), KEYS) == {
        "a b": (hashlib.sha256(b"c").hexdigest(), 1)
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("volens-audit-pack/v1\n", id="no log"),
        pytest.param(f"volens-audit-pack/v2\n{ORIGIN}\n", id="another version"),
        pytest.param(f"volens-audit-pack/v1\n{ORIGIN}\nnonsense\n", id="no member"),
        pytest.param(f"volens-audit-pack/v1\n{ORIGIN}\n{LINE}{LINE}", id="a member twice"),
    ],
)
def test_what_is_nearly_a_manifest_is_refused(text: str):
    with refused(Kind.FORMAT):
        manifest_members(signed(text, [LOG_KEY]), KEYS)


def test_members_of_any_size_are_measured():
    content = bytes(3 << 19) + b"end"

    assert measured_member(io.BytesIO(content)) == (hashlib.sha256(content).hexdigest(), len(content))


def test_salts_and_what_is_withheld_are_as_the_page_says():
    salt = hmac.new(b"s" * 32, b"entry", "sha256").digest()

    assert salt_of(b"s" * 32, b"entry") == salt
    assert salt_of(b"s" * 32, b"ent", "ry") == salt
    assert withheld(salt, b"value") == hashlib.sha256(b"\x02" + salt + b"value").digest()
