from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath

from service.kernel import Caller, DomainError
from service.requests.letter_schemas import LetterCreate, Letters, LetterView, OpenLetter
from service.requests.letters import (
    LetterGone,
    LetterIdReused,
    LetterTooLarge,
    LetterUnclear,
    LetterUnknown,
    TooManyLetters,
)
from service.requests.writing import ReadLetter, ReadLetters, WriteLetter
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.problems import documented

LETTER_STATUS: Final[Mapping[type[DomainError], int]] = {
    LetterGone: HTTPStatus.GONE,
    LetterIdReused: HTTPStatus.CONFLICT,
    LetterTooLarge: HTTPStatus.BAD_REQUEST,
    LetterUnclear: HTTPStatus.BAD_REQUEST,
    LetterUnknown: HTTPStatus.NOT_FOUND,
    TooManyLetters: HTTPStatus.CONFLICT,
}
NEW: Final = ResponseSpec(LetterView, generate_examples=False, description="A new letter")


class LetterController(Controller):
    """What a person and the controller write to each other about a request."""

    path = "/v1/requests"
    tags = ("Requests",)

    @post(
        "/{request_id:uuid}/letters",
        operation_id="writeLetter",
        opt=needs("requests:manage", own=True),
        responses=documented(404, 409, 410) | {HTTPStatus.CREATED: NEW},
        status_code=HTTPStatus.OK,
    )
    async def write(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        data: StrictBody[LetterCreate],
        write_letter: NamedDependency[WriteLetter],
    ) -> Response[LetterView]:
        """Write a text about a request, or add a file: sealed under the person's key, and gone with it.

        A `refusal` is what staff tell the person; `authority` and `identity` show what an agent may, and who
        somebody is, and go when the case ends. 201 when it is new; the same again is a 200.
        """
        wanted = strictly(data, LetterCreate)
        if (letter := wanted.letter()) is None:
            raise LetterUnclear("send a `text`, or a `media_type` with `content`", pointers=["/text", "/content"])
        written, new = await write_letter(request_id, wanted.id, wanted.about, letter, by=request.user)
        status = HTTPStatus.CREATED if new else HTTPStatus.OK
        return Response(LetterView.of(written), status_code=status)

    @get(
        "/{request_id:uuid}/letters",
        operation_id="readLetters",
        opt=needs("requests:manage", own=True),
        responses=documented(404),
    )
    async def letters(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        read_letters: NamedDependency[ReadLetters],
    ) -> Letters:
        """List what was written about a request, oldest first. People read their own."""
        found = await read_letters(request_id, by=request.user)
        return Letters(letters=[LetterView.of(each) for each in found])

    @get(
        "/{request_id:uuid}/letters/{letter:uuid}",
        operation_id="readLetter",
        opt=needs("requests:manage", own=True),
        responses=documented(404, 410),
    )
    async def letter(
        self,
        request: Request[Caller, Any, Any],
        request_id: FromPath[UUID],
        letter: FromPath[UUID],
        read_letter: NamedDependency[ReadLetter],
    ) -> OpenLetter:
        """Read one letter. Of staff each reading leaves an audit entry."""
        return OpenLetter.of(await read_letter(request_id, letter, by=request.user))
