"""Personal data, under one key per person. The only slice that ever sees plaintext."""

from service.vault.blind import code_mark, content_id, drop_mark
from service.vault.destroying import DestroyKey, Forget, Suppress
from service.vault.domain import BoxKey, BoxPlace, RingUnavailable, SubjectErased, TenantKey, Unreadable
from service.vault.fields import OFFICER_PURPOSES, USES, Field, FieldName, FieldUnknown, Name, ValueName
from service.vault.importing import CutOff, ImportDiffers, LineRefused, Sameness, pieces
from service.vault.letters import LETTER, PROOF, Letter, Letters, Proofs, ProofTransaction, dropped
from service.vault.lookup import LookupMany
from service.vault.matching import MatchValues
from service.vault.moving import MoveValues
from service.vault.moving_ports import MovingTransaction
from service.vault.opening import FieldsOf, OpenTogether, OpenValues, Wanted
from service.vault.ports import KeyAccess, KeyStore, OpenBox, SealBox
from service.vault.rotation_ports import ForgettingTransaction
from service.vault.value_ports import ValueStore, ValueTransaction
from service.vault.values import Opened, Opening
from service.vault.writing import ImportMoved

__all__ = [
    "LETTER",
    "OFFICER_PURPOSES",
    "PROOF",
    "USES",
    "BoxKey",
    "BoxPlace",
    "CutOff",
    "DestroyKey",
    "Field",
    "FieldName",
    "FieldUnknown",
    "FieldsOf",
    "Forget",
    "ForgettingTransaction",
    "ImportDiffers",
    "ImportMoved",
    "KeyAccess",
    "KeyStore",
    "Letter",
    "Letters",
    "LineRefused",
    "LookupMany",
    "MatchValues",
    "MoveValues",
    "MovingTransaction",
    "Name",
    "OpenBox",
    "OpenTogether",
    "OpenValues",
    "Opened",
    "Opening",
    "ProofTransaction",
    "Proofs",
    "RingUnavailable",
    "Sameness",
    "SealBox",
    "SubjectErased",
    "Suppress",
    "TenantKey",
    "Unreadable",
    "ValueName",
    "ValueStore",
    "ValueTransaction",
    "Wanted",
    "code_mark",
    "content_id",
    "drop_mark",
    "dropped",
    "pieces",
]
