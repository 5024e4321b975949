from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from service.decisions.context import Context
from service.decisions.domain import (
    DecisionUnavailable,
    DecisionUnknown,
    InstantOutOfRange,
    PermitsNotOffered,
    QuestionTooFarAhead,
)
from service.decisions.policy import Policy
from service.decisions.schemas import DecisionCreate, DecisionView, LoggedDecisionView, PolicyView, SimulationView
from service.decisions.simulation import Case
from service.decisions.usecases import Decide, ReadDecision, SimulateDecision
from service.kernel import Caller, DomainError
from service.web.auth import needs, own_subject
from service.web.bodies import StrictBody, strictly
from service.web.problems import ON_FAILURE, documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    DecisionUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    DecisionUnknown: HTTPStatus.NOT_FOUND,
    InstantOutOfRange: HTTPStatus.CONFLICT,
    PermitsNotOffered: HTTPStatus.CONFLICT,
    QuestionTooFarAhead: HTTPStatus.CONFLICT,
}

NO: Final[dict[str, Any]] = {ON_FAILURE: {"decision": "deny"}}
"""Whatever fails on the way to a decision, before the handler too: nobody may take it for a permit."""

Again = Annotated[bool, QueryParameter(description="Also ask the stored facts again, under the policy of today.")]


class DecisionController(Controller):
    """Ask before you contact or profile anybody."""

    path = "/v1"
    tags = ("Decisions",)

    @post(
        "/decisions",
        operation_id="decide",
        opt=needs("decide", own=True) | NO,
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def decide(
        self, request: Request[Caller, Any, Any], data: StrictBody[DecisionCreate], decide: NamedDependency[Decide]
    ) -> DecisionView:
        """Ask whether a subject may be contacted or profiled.

        Treat anything but `permit` as no, a problem included: 503 carries
        `"decision": "deny"`. A subject that is unknown is denied, with the reason. Every
        answer is logged before it is given.
        """
        question = strictly(data, DecisionCreate)
        subject = own_subject(request.user, question.subject)
        if question.permit:
            raise PermitsNotOffered(
                "signed permits are not issued by this version; leave `permit` out", pointers=["/permit"]
            )
        decision = await decide(
            subject=subject,
            channel=question.channel,
            purpose=question.purpose,
            context=question.context or Context(),
            at=question.at,
            by=request.user,
        )
        return DecisionView.of(decision)

    @get(
        "/decisions/{decision:uuid}",
        operation_id="readDecision",
        opt=needs("decide", own=True),
        responses=documented(404),
    )
    async def read(
        self,
        request: Request[Caller, Any, Any],
        decision: FromPath[UUID],
        read_decision: NamedDependency[ReadDecision],
        replay: Again = False,
    ) -> LoggedDecisionView:
        """Read a decision from the log.

        With `replay`, the facts that were stored are asked again under the policy of today,
        and the answer says whether the verdict is still the same.
        """
        return LoggedDecisionView.told(*await read_decision(decision, replay=replay, by=request.user))

    @post(
        "/simulations/decision",
        operation_id="simulateDecision",
        opt=needs("decide") | NO,
        responses=documented(409),
        status_code=HTTPStatus.OK,
    )
    async def simulate(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[Case],
        simulate_decision: NamedDependency[SimulateDecision],
    ) -> SimulationView:
        """Ask what a whole case would get.

        The case says everything about the person; nothing is read or stored. A place or
        time zone that doesn't exist is judged by the strictest profile, with a warning.
        """
        return SimulationView.of(await simulate_decision(strictly(data, Case), by=request.user))

    @get("/policy", operation_id="readPolicy", opt=needs("policy:read"), responses=documented())
    async def policy(self, policy: NamedDependency[Policy]) -> PolicyView:
        """Read the law that answers: its revision, and every rule with title, citation and source."""
        return PolicyView.of(policy)
