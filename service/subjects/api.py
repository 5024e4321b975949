from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import PathParameter

from service.kernel import VAULT_WORDS, Caller, DomainError, SubjectId
from service.subjects.domain import ContradictoryFacts, SubjectFacts, UnknownJurisdiction, UnknownSubject, UnknownZone
from service.subjects.schemas import FactsView
from service.subjects.usecases import PutSubject
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    UnknownSubject: HTTPStatus.NOT_FOUND,
    UnknownJurisdiction: HTTPStatus.CONFLICT,
    UnknownZone: HTTPStatus.CONFLICT,
    ContradictoryFacts: HTTPStatus.CONFLICT,
}
FIRST: Final = ResponseSpec(FactsView, generate_examples=False, description="The first facts about this person")

SubjectPath = Annotated[
    str,
    PathParameter(
        pattern=rf"^(?!({'|'.join(VAULT_WORDS)})$)[A-Za-z0-9._:-]{{1,128}}$(?!\n)",
        description="The tenant's own opaque id of the person; no word that stands in its place in the vault.",
    ),
]


class SubjectController(Controller):
    """Say what is known about the people."""

    path = "/v1/subjects"
    tags = ("Subjects",)

    @put(
        "/{subject:str}",
        operation_id="putSubject",
        opt=needs("subjects:write"),
        responses=documented(409) | {HTTPStatus.CREATED: FIRST},
    )
    async def put(
        self,
        request: Request[Caller, Any, Any],
        subject: SubjectPath,
        data: StrictBody[SubjectFacts],
        put_subject: NamedDependency[PutSubject],
    ) -> Response[FactsView]:
        """Replace the facts about a person.

        The body is everything that is known: a fact that is left out, or null, is unknown
        from now on. Sending the same again is safe and makes no new version. 201 when
        nothing had been known before.

        `age` is in whole years at `age_declared_at`, which is today unless you say so.
        """
        person = SubjectId(subject)
        stored = await put_subject(person, strictly(data, SubjectFacts), by=request.user)
        return Response(FactsView.of(person, stored), status_code=201 if stored.first else 200)
