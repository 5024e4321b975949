from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.erasures.domain import NotAnErasure, NotCertified
from service.erasures.schemas import CertificateView, PlanView
from service.erasures.usecases import ReadCertificate, ReadPlan
from service.kernel import Caller, DomainError
from service.web.auth import needs
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    NotAnErasure: HTTPStatus.CONFLICT,
    NotCertified: HTTPStatus.CONFLICT,
}


class ErasureController(Controller):
    """What an erasure does, and the proof that it was done."""

    path = "/v1/requests"
    tags = ("Requests",)

    @get(
        "/{request_id:uuid}/plan",
        operation_id="readPlan",
        opt=needs("requests:manage"),
        responses=documented(404, 409),
    )
    async def plan(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        read_plan: NamedDependency[ReadPlan],
    ) -> PlanView:
        """Read what an erasure does: what goes, what stays and why, who is told, and what stands against it.

        Before `execute` it is worked out from the person as they stand; from then on it is the plan that was fixed,
        with what was done of it.
        """
        return PlanView.of(await read_plan(request_id, by=request.user))

    @get(
        "/{request_id:uuid}/certificate",
        operation_id="readCertificate",
        opt=needs("requests:manage"),
        responses=documented(404, 409),
    )
    async def certificate(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        read_certificate: NamedDependency[ReadCertificate],
    ) -> CertificateView:
        """Read the signed certificate of an erasure, with the proof that the audit log committed to it.

        It names the steps and their times, what stayed and why, and what each connected system answered, and nothing
        of the person. With the keys of `/.well-known/volens/log-keys` anybody can verify it, without asking us. Its
        entry is in the log within seconds; until then the answer is 409.
        """
        return CertificateView.of(await read_certificate(request_id, by=request.user))
