from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, QueryParameter

from service.consent import Channel, PurposeName
from service.decisions.context import Context
from service.decisions.domain import (
    DecisionUnavailable,
    DecisionUnknown,
    InstantOutOfRange,
    QuestionTooFarAhead,
    RuleUnknown,
)
from service.decisions.inquiries import ReadCoverage, ReadPolicy, ReadRule
from service.decisions.law_schemas import CoverageView, PolicyView, RuleId, RuleView
from service.decisions.permits import PermitIsForNow, Wish
from service.decisions.permitting import DecideForPermit
from service.decisions.schemas import DecisionCreate, LoggedDecisionView, SimulationCreate, SimulationView
from service.decisions.simulation import Jurisdiction
from service.decisions.told import DecisionView
from service.decisions.usecases import Decide, ReadDecision, SimulateDecision
from service.kernel import Caller, DomainError, SubjectId
from service.web.auth import needs, own_subject, permit
from service.web.bodies import StrictBody, strictly
from service.web.problems import ON_FAILURE, documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    DecisionUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    DecisionUnknown: HTTPStatus.NOT_FOUND,
    InstantOutOfRange: HTTPStatus.CONFLICT,
    PermitIsForNow: HTTPStatus.CONFLICT,
    QuestionTooFarAhead: HTTPStatus.CONFLICT,
    RuleUnknown: HTTPStatus.NOT_FOUND,
}

NO: Final[dict[str, Any]] = {ON_FAILURE: {"decision": "deny"}}
"""Whatever fails on the way to a decision, before the handler too: nobody may take it for a permit."""

NOT_MODIFIED: Final = {
    int(HTTPStatus.NOT_MODIFIED): ResponseSpec(None, description="The policy is still the one of `If-None-Match`.")
}

Known = Annotated[
    str, HeaderParameter(name="If-None-Match", description="The `ETag` of an earlier answer, or several.")
]
Residence = Annotated[Jurisdiction, QueryParameter(description="A country or its part, such as `DE` or `US-CA`.")]
Again = Annotated[bool, QueryParameter(description="Also ask the stored facts again, under the policy of today.")]


async def decided(decide: Decide, for_permit: DecideForPermit, caller: Caller, body: Any) -> DecisionView:
    """Answer the question in a body: what `POST /v1/decisions` is, in front of Litestar and within."""
    question = strictly(body, DecisionCreate)
    subject = own_subject(caller, question.subject)
    if question.permit:
        return await _permitted(for_permit, caller, question, subject)
    decision = await decide(
        subject=subject,
        channel=question.channel,
        purpose=question.purpose,
        context=question.context or Context(),
        at=question.at,
        by=caller,
    )
    return DecisionView.of(decision)


async def _permitted(
    for_permit: DecideForPermit, caller: Caller, question: DecisionCreate, subject: SubjectId
) -> DecisionView:
    """Answer a question with a permit. Nobody needs one to contact themselves."""
    permit(caller, "decide", own=False, subject=None)
    if question.at is not None:
        raise PermitIsForNow("a permit is about now; leave `at` out", pointers=["/at"])
    decision, token = await for_permit(
        question.permit if isinstance(question.permit, Wish) else Wish(),
        subject=subject,
        channel=question.channel,
        purpose=question.purpose,
        context=question.context or Context(),
        by=caller,
    )
    return DecisionView.of(decision, token)


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
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[DecisionCreate],
        decide: NamedDependency[Decide],
        decide_for_permit: NamedDependency[DecideForPermit],
    ) -> DecisionView:
        """Ask whether a subject may be contacted or profiled.

        Treat anything but `permit` as no, a problem included: 503 carries
        `"decision": "deny"`. A subject that is unknown is denied, with the reason. Every
        answer is logged before it is given. With `permit`, a yes comes with a signed permit
        for whoever sends: see `POST /v1/permits/verify`.
        """
        return await decided(decide, decide_for_permit, request.user, data)

    @get(
        "/decisions/{decision:uuid}",
        operation_id="readDecision",
        opt=needs("decide", own=True),
        responses=documented(404, 410),
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
        data: StrictBody[SimulationCreate],
        simulate_decision: NamedDependency[SimulateDecision],
    ) -> SimulationView:
        """Ask what a whole case would get.

        The case says everything about the person; nothing is read or stored. A place or
        time zone that doesn't exist is judged by the strictest profile, with a warning. With
        `explain`, the answer says what every rule said that was considered, and what
        unknown facts would change.
        """
        case = strictly(data, SimulationCreate)
        return SimulationView.of(await simulate_decision(case, explained=case.explain, by=request.user))


class LawController(Controller):
    """Read the law that answers."""

    path = "/v1/policy"
    tags = ("Policy",)

    @get("/", operation_id="readPolicy", opt=needs("policy:read"), responses=documented() | NOT_MODIFIED)
    async def policy(
        self, request: Request[Caller, Any, Any], read_policy: NamedDependency[ReadPolicy], if_none_match: Known = ""
    ) -> Response[PolicyView]:
        """Read the law that answers: its revision, and every rule with title, citation and source.

        `tables` are the data that rules look into, such as hours and ages. The answer's `ETag`
        is of the revision: send it as `If-None-Match` to learn only whether anything changed.
        """
        policy = await read_policy(by=request.user)
        tag = f'W/"{policy.revision}"'
        if not {tag, "*"}.isdisjoint(each.strip() for each in if_none_match.split(",")):
            unchanged: Response[Any] = Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers={"etag": tag})
            return unchanged
        return Response(PolicyView.of(policy), headers={"etag": tag})

    @get("/rules/{rule:str}", operation_id="readRule", opt=needs("policy:read"), responses=documented(404))
    async def rule(
        self, request: Request[Caller, Any, Any], rule: FromPath[RuleId], read_rule: NamedDependency[ReadRule]
    ) -> RuleView:
        """Read one rule of the law by its id, such as `DE-UWG-01`."""
        return RuleView.of(*await read_rule(rule, by=request.user))

    @get("/coverage", operation_id="readCoverage", opt=needs("policy:read"), responses=documented(409))
    async def coverage(
        self,
        request: Request[Caller, Any, Any],
        residence: Residence,
        channel: Annotated[Channel, QueryParameter()],
        purpose: Annotated[PurposeName, QueryParameter()],
        read_coverage: NamedDependency[ReadCoverage],
    ) -> CoverageView:
        """Ask what Volens holds about a place, a channel and a purpose, before you integrate.

        The answer names the laws that apply, whether they are held, the rules with their
        confidence, and what a person of age gets about whom nothing is known.
        """
        coverage = await read_coverage(residence=residence, channel=channel, purpose=purpose, by=request.user)
        return CoverageView.of(residence, channel, purpose, coverage)
