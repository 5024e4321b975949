"""What was sealed in a file for a person is gone with their key."""

import io
from datetime import timedelta
from uuid import uuid4

from service.kernel import SubjectId
from service.vault import DestroyKey
from service.vault.keys import Keys
from service.vault.parcel import ParcelPlace, seal_parcel, unseal_parcel
from service.vault.ring_file import FileRing


async def test_a_file_is_gone_with_the_key_of_the_person(tmp_path, begin, clock, tenant, caller):
    keys = Keys(FileRing.open(tmp_path / "root.keys"), begin, clock, keep=timedelta(minutes=5))
    tenant_key = await keys.tenant_key(tenant)
    async with begin(tenant) as tx:
        [handle] = (await tx.subjects.ensure([SubjectId("anna")], clock())).handles.values()
        key = (await keys.ensure_subject_keys(tx.keys, tenant_key, [handle])).keys[handle]
    place = ParcelPlace(tenant=tenant, handle=handle, file=uuid4())
    sealed = b"".join(seal_parcel(key, place, [b"a package"]))
    async with begin(tenant) as tx:
        found = await keys.subject_keys(tx.keys, tenant_key, [handle])
    assert b"".join(unseal_parcel(found.keys[handle], place, io.BytesIO(sealed))) == b"a package"

    await DestroyKey(begin, clock)(handle, by=caller)

    async with begin(tenant) as tx:
        found = await keys.subject_keys(tx.keys, tenant_key, [handle])
        ensured = await keys.ensure_subject_keys(tx.keys, tenant_key, [handle])
    assert (found.keys, ensured.keys) == ({}, {})
    assert found.erased == ensured.erased == {handle}
