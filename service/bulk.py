"""Makes what brings records in bulk, and what takes them elsewhere."""

from typing import Any

from service.ahead import in_turn, one_ahead
from service.consent.chunking import AppendChunk
from service.consent.exporting import ExportRecords
from service.consent.import_api import Reading
from service.consent.importing import ImportRecords
from service.consent.mapping_files import ready
from service.decisions import Policy
from service.kernel import Clock, NewId
from service.subjects import PutSubject
from service.transaction import Begin
from service.vault import KeyAccess, LookupMany


def bulk(
    begin: Begin,
    keys: KeyAccess,
    policy: Policy,
    find: LookupMany,
    put_subject: PutSubject,
    clock: Clock,
    new_id: NewId,
) -> dict[str, Any]:
    """Return the parts, by the names under which routes ask for them."""
    append = AppendChunk(policy.vocabulary, new_id)
    return {
        "import_records": ImportRecords(begin, keys, append, put_subject, find, clock, one_ahead, in_turn),
        "export_records": ExportRecords(begin),
        "reading": Reading(ready=ready, vocabulary=policy.vocabulary, clock=clock),
    }
