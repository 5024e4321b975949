"""The tree over a chunk: every leaf has a path to the root, and no other leaf has it."""

from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit import Secret, path_to, tree_hash
from service.audit.findings import Wrong
from service.audit.tree import verify_inclusion
from service.consent.imported import NOTHING, Chunk, leaf_of
from service.kernel import Handle
from service.vault import content_id
from service.vault.domain import HashKey
from service.vault.domain import Secret as KeySecret
from tests.builders import a_record

SECRET = Secret(bytes(range(32)))


@given(st.integers(min_value=1, max_value=70), st.data())
def test_each_leaf_has_a_path_and_no_other_passes_on_it(size, data):
    hashes = [sha256(bytes([each])).digest() for each in range(size)]
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    path = path_to(hashes, index)

    verify_inclusion(hashes[index], index, size, path, tree_hash(hashes))
    for other in range(size):
        if other != index:
            with pytest.raises(Wrong):
                verify_inclusion(hashes[other], index, size, path, tree_hash(hashes))


def test_a_chunk_keeps_the_leaves_in_the_order_of_the_ids_and_hides_who_has_no_secret():
    at = datetime(2026, 11, 21, tzinfo=UTC)
    handles = [Handle(uuid4()), Handle(uuid4())]
    records = [a_stored(handle) for handle in handles for _ in range(3)]

    chunk = Chunk.of(uuid4(), uuid4(), at, records, {handles[0]: SECRET})

    assert chunk.records == sorted(record.id for record in records)
    for record in records:
        index, path = chunk.path(record.id)
        leaf = leaf_of(record, SECRET) if record.handle == handles[0] else NOTHING
        verify_inclusion(leaf, index, len(records), path, chunk.root)
    assert chunk.root_with({}) == chunk.root
    assert chunk.root_with({records[0].id: NOTHING}) != chunk.root


def a_stored(handle):
    from service.consent import StoredRecord

    record = a_record()
    return StoredRecord(id=uuid4(), handle=handle, received_at=record.received_at, statement=record.statement)


def test_the_id_of_content_is_a_uuid_of_version_8_that_another_key_makes_otherwise():
    keys = [HashKey(version=1, secret=KeySecret(bytes([each]) * 32)) for each in (1, 2)]
    ids = [content_id(key, content) for key in keys for content in (b"one", b"other")]

    assert len(set(ids)) == 4
    assert ids[0] == content_id(keys[0], b"one")
    assert all(isinstance(each, UUID) and each.version == 8 and each.variant == "specified in RFC 4122" for each in ids)
