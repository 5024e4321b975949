"""What the whole application answers: the operations of every slice, and the status of each of their refusals."""

from collections.abc import Mapping, Sequence
from typing import Final

from litestar import Controller

from service.audit import api as audit_api
from service.audit import hold_api, proof_api
from service.consent import api as consent_api
from service.consent import import_api, receipt_api
from service.decisions import api as decisions_api
from service.decisions import audience_api, batch_api, permit_api
from service.doors import api as doors_api
from service.doors import drp_api
from service.downstreams import api as downstreams_api
from service.downstreams import task_api
from service.erasures import api as erasures_api
from service.exports import api as exports_api
from service.kernel import Contended, DomainError, Unavailable
from service.packages import api as packages_api
from service.policies import api as policies_api
from service.requests import api as requests_api
from service.requests import identity_api, letter_api
from service.reveals import api as reveals_api
from service.subjects import api as subjects_api
from service.timeline import api as timeline_api
from service.trials import api as trials_api
from service.vault import api as vault_api

STATUSES: Final[Mapping[type[DomainError], int]] = {
    Unavailable: 503,
    Contended: 503,
    **audit_api.STATUS,
    **proof_api.PROOF_STATUS,
    **hold_api.HOLD_STATUS,
    **subjects_api.STATUS,
    **consent_api.STATUS,
    **receipt_api.RECEIPT_STATUS,
    **import_api.IMPORT_STATUS,
    **decisions_api.STATUS,
    **policies_api.STATUS,
    **trials_api.STATUS,
    **vault_api.STATUS,
    **requests_api.STATUS,
    **identity_api.IDENTITY_STATUS,
    **letter_api.LETTER_STATUS,
    **erasures_api.STATUS,
    **reveals_api.STATUS,
    **exports_api.STATUS,
    **downstreams_api.STATUS,
    **doors_api.STATUS,
    **drp_api.DRP_STATUS,
    **timeline_api.STATUS,
    **packages_api.STATUS,
}

CONTROLLERS: Final[Sequence[type[Controller]]] = (
    consent_api.RecordController,
    receipt_api.ReceiptController,
    import_api.BulkController,
    consent_api.MergeController,
    consent_api.RegistryController,
    subjects_api.SubjectController,
    timeline_api.TimelineController,
    decisions_api.DecisionController,
    permit_api.PermitController,
    batch_api.BatchController,
    audience_api.AudienceController,
    decisions_api.LawController,
    policies_api.PolicyController,
    trials_api.TrialController,
    requests_api.RequestController,
    identity_api.IdentityController,
    letter_api.LetterController,
    erasures_api.ErasureController,
    packages_api.PackageController,
    reveals_api.RevealController,
    reveals_api.ApprovalController,
    audit_api.AuditController,
    proof_api.ProofController,
    exports_api.ExportController,
    exports_api.FilterController,
    downstreams_api.DownstreamController,
    task_api.SystemController,
    task_api.TaskController,
    doors_api.OpenDsrController,
    drp_api.DrpController,
    hold_api.HoldController,
    vault_api.FieldController,
    vault_api.ValueController,
)
