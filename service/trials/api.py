from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.kernel import Caller, DomainError
from service.trials.domain import CandidateRefused, RegoNotOffered, TooManyTrials, TrialUnknown, TrialUnusable
from service.trials.schemas import ChangePage, ChangeView, TrialCreate, TrialPage, TrialView
from service.trials.usecases import ReadChanges, ReadTrial, ReadTrials, StartTrial
from service.web import pages
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    CandidateRefused: HTTPStatus.BAD_REQUEST,
    RegoNotOffered: HTTPStatus.CONFLICT,
    TooManyTrials: HTTPStatus.CONFLICT,
    TrialUnknown: HTTPStatus.NOT_FOUND,
    TrialUnusable: HTTPStatus.CONFLICT,
}


class TrialController(Controller):
    """See what a change of policy would do, before it does."""

    path = "/v1/simulations/policy"
    tags = ("Policy",)

    @post(
        operation_id="startTrial",
        opt=needs("policy:write"),
        responses=documented(409),
        status_code=HTTPStatus.ACCEPTED,
    )
    async def start(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[TrialCreate],
        start_trial: NamedDependency[StartTrial],
    ) -> Response[TrialView]:
        """Try a policy on decisions of the log, or on everybody of today.

        Nothing of the candidate ever governs. Logged facts are asked again under it, each
        distinct one once; people are asked about under both. `Location` leads to how far it
        got, and then to what would change. A candidate that is no policy is 400.
        """
        wanted = strictly(data, TrialCreate)
        trial = await start_trial(wanted.candidate(), wanted.over, by=request.user)
        headers = {"location": f"/v1/simulations/policy/{trial.id}"}
        return Response(TrialView.of(trial), status_code=HTTPStatus.ACCEPTED, headers=headers)

    @get(operation_id="readTrials", opt=needs("policy:read"), responses=documented())
    async def trials(
        self,
        request: Request[Caller, Any, Any],
        read_trials: NamedDependency[ReadTrials],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[TrialPage]:
        """Read what was tried, the newest first. Follow `Link` until there is none."""
        before = pages.position_in(cursor, UUID)
        trials, more = await read_trials(before=before, limit=limit, by=request.user)
        return pages.page(request, TrialPage(trials=[TrialView.of(each) for each in trials]), more)

    @get("/{trial:uuid}", operation_id="readTrial", opt=needs("policy:read"), responses=documented(404))
    async def read(
        self, request: Request[Caller, Any, Any], trial: FromPath[UUID], read_trial: NamedDependency[ReadTrial]
    ) -> TrialView:
        """Read how far a trial got, and what came of it once it is done."""
        return TrialView.of(await read_trial(trial, by=request.user))

    @get("/{trial:uuid}/changes", operation_id="readTrialChanges", opt=needs("policy:read"), responses=documented(404))
    async def changes(
        self,
        request: Request[Caller, Any, Any],
        trial: FromPath[UUID],
        read_changes: NamedDependency[ReadChanges],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[ChangePage]:
        """Read what would change, one by one: each decision, or each subject, that gets another answer.

        Follow `Link` until there is none; while the trial runs, more may come.
        """
        after = pages.position_in(cursor, UUID)
        changes, people, more = await read_changes(trial, after=after, limit=limit, by=request.user)
        return pages.page(request, ChangePage(changes=[ChangeView.of(each, people=people) for each in changes]), more)
