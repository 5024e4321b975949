"""Receipts of the records in a pack: what each says, signed, without what senders wrote freely."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from service.audit import receipt, receipts_of
from service.audit.log_keys import LogKeys
from service.audit.receipted import MANY_RECEIPTS
from service.audit.signing import Signer
from service.audit.tree_ports import KeyPurpose
from service.consent.committed import WITHHELD
from service.consent.domain import StoredRecord
from service.consent.issuing import claimed
from service.consent.receipts import Told, shown
from service.kernel import TenantId
from service.own_files import FileExposed, FileUnusable
from service.tenants import NOBODY
from service.transaction import Begin, Transaction

HEADING: Final = b'{"format":"%b"}\n' % MANY_RECEIPTS.encode()
_RECIPIENTS: Final = "recipient_third_parties"


async def receipt_signer(begin: Begin, place: Path, origin: str) -> Signer | None:
    """Return the newest key of receipts in a file. None where it isn't here: this is no place to make one."""
    async with begin(NOBODY) as tx:
        public = [key.public for key in await tx.log_keys.public() if key.purpose is KeyPurpose.RECEIPTS]
    try:
        return LogKeys.open(place, make=False).among(public).signer(receipts_of(origin))
    except (FileExposed, FileUnusable, OSError):
        return None


async def receipts(
    tx: Transaction, tenant: TenantId, signer: Signer, origin: str, wanted: Mapping[UUID, tuple[int, bytes]]
) -> bytes:
    """Return the lines of receipts, by the places of entries. `wanted` has place and entry of each record."""
    records = await tx.records.find(wanted)
    said = [record.statement for record in records.values()]
    versions = {
        each: await tx.notices.of_version(each) for each in {one.notice_version for one in said} if each is not None
    }
    own = await tx.purposes.find({one.purpose for one in said if one.purpose is not None})
    lines = []
    for id_, (index, entry) in wanted.items():
        if (record := records.get(id_)) is None:
            continue
        told = Told(
            tenant=tenant,
            record=_cut(record),
            notice=shown(record, versions.get(record.statement.notice_version or "", [])),
            own_purpose=own.get(record.statement.purpose or ""),
        )
        jws = receipt(_marked(claimed(told, origin, entry), record), signer)
        lines.append(b'{"entry":%d,"receipt":"%b"}\n' % (index, jws.encode()))
    return b"".join(lines)


def _free(record: StoredRecord) -> list[str]:
    return sorted(WITHHELD & msgspec.to_builtins(record.statement).keys())


def _cut(record: StoredRecord) -> StoredRecord:
    nothing = {name: msgspec.UNSET if name == "evidence" else None for name in _free(record)}
    return replace(record, statement=replace(record.statement, **nothing))


def _marked(claims: dict[str, Any], record: StoredRecord) -> dict[str, Any]:
    """Say what was left out, which is not the same as not stated."""
    free = _free(record)
    if not free:
        return claims
    content = claims["record"]
    unstated = [name for name in content["volens:notStated"] if name != _RECIPIENTS or "named_recipients" not in free]
    return claims | {"record": content | {"volens:notStated": unstated, "volens:withheld": free}}
