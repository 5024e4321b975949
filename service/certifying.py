"""`volens request`: what an erasure does, and its certificate, for operators."""

from pathlib import Path
from uuid import UUID

import msgspec

from service import given, operations
from service.audit import ProveEntry
from service.bridges import sought
from service.databases import migrated
from service.decisions.artefacts import read_policy
from service.desk import statutes
from service.erasing import Known, planner
from service.erasures import ReadCertificate, ReadPlan
from service.erasures.schemas import CertificateView, PlanView
from service.own_files import new_own
from service.receipt_keys import ReceiptKeys, receipt_keys_file
from service.settings import Settings


async def read_plan(settings: Settings, tenant: str, request: UUID) -> PlanView:
    """Return the plan of an erasure, and what was done of it.

    Raises:
        RequestUnknown, NotAnErasure
    """
    by = operations.as_operator(operations.tenant_named(tenant))
    policy, known = read_policy(given.BUILD), Known()
    with migrated(settings) as urls:
        async with operations.transactions(urls.app) as begin:
            plan = planner(given.BUILD, policy, statutes(given.BUILD, policy), known)
            return PlanView.of(await ReadPlan(begin, plan, known, given.utc_now)(request, by=by))


async def write_certificate(settings: Settings, tenant: str, request: UUID, out: Path) -> CertificateView:
    """Write the certificate of an erasure to a file that is made for it, and return it.

    Raises:
        RequestUnknown, NotAnErasure, NotCertified, EntryWaits, CheckpointUnknown, FileUnusable
        Unavailable: the key of receipts isn't here.
    """
    by = operations.as_operator(operations.tenant_named(tenant))
    with migrated(settings) as urls:
        async with operations.transactions(urls.app) as begin:
            sign = ReceiptKeys(receipt_keys_file(settings), begin, lambda _: None)
            prove = ProveEntry(begin, sought(begin))
            read = ReadCertificate(begin, prove, sign, settings.log_name, given.utc_now)
            certificate = CertificateView.of(await read(request, by=by))
    with new_own(out) as file:
        file.write(msgspec.json.encode(certificate))
    return certificate
