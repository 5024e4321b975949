"""Reading the vault in plain: decide first, open then, and leave a trace before anything is told."""

from service.reveals.approval import (
    Approval,
    ApprovalNeeded,
    ApprovalUnknown,
    ApprovalUnusable,
    SecondPersonNeeded,
    TooManyPeople,
)
from service.reveals.approving import GiveApproval, ReadApprovals, RequestApproval
from service.reveals.batches import RevealBatch
from service.reveals.disclosing import Disclose
from service.reveals.domain import OFFICER, OfficersOnly, RevealDenied, Revealed, Shown, Wish
from service.reveals.ports import AloneStore, ApprovalStore, Nonce, RevealLog, RevealStore, TokenStore
from service.reveals.tokens import IssueToken, RevokeToken
from service.reveals.usecases import Reveal, admit_alone

__all__ = [
    "OFFICER",
    "AloneStore",
    "Approval",
    "ApprovalNeeded",
    "ApprovalStore",
    "ApprovalUnknown",
    "ApprovalUnusable",
    "Disclose",
    "GiveApproval",
    "IssueToken",
    "Nonce",
    "OfficersOnly",
    "ReadApprovals",
    "RequestApproval",
    "Reveal",
    "RevealBatch",
    "RevealDenied",
    "RevealLog",
    "RevealStore",
    "Revealed",
    "RevokeToken",
    "SecondPersonNeeded",
    "Shown",
    "TokenStore",
    "TooManyPeople",
    "Wish",
    "admit_alone",
]
