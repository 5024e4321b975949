"""What permits are made of."""

from collections.abc import Mapping
from typing import Any

from service.audit import ReceiptSigner
from service.audit.proving import ReadLogKeys
from service.decisions import Decide
from service.decisions.permitting import DecideForPermit, ListRevoked, VerifyPermit
from service.downstreams.ed25519 import Ed25519
from service.kernel import Clock, NewId
from service.settings import Settings
from service.transaction import Begin


def permit_parts(
    settings: Settings, begin: Begin, decide: Decide, sign: ReceiptSigner, clock: Clock, new_id: NewId
) -> Mapping[str, Any]:
    """Return the use cases by the names under which handlers ask for them."""
    name = settings.log_name
    keys = ReadLogKeys(begin, name)
    return {
        "decide_for_permit": DecideForPermit(decide, begin, sign, name, new_id),
        "verify_permit": VerifyPermit(begin, keys, Ed25519().verifies, name, clock),
        "list_revoked": ListRevoked(begin, sign, name, clock),
    }
