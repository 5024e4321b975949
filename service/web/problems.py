"""RFC 9457 problems: one answer for each way a request can fail.

Errors of the domain, of Litestar and of nobody (bugs) all end here. Messages of Litestar
and of bugs are dropped: they quote paths, queries and values.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct

from service.kernel import DomainError, Unavailable
from service.web.faults import Fault, fault_in_parameter

BASE: Final = "https://volens.example/problems/"
MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = 2
"""Seconds. What is unavailable now usually returns with a restart or a failover."""

STATUS_OF: Final[Mapping[str, int]] = {
    "invalid_request": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "insufficient_scope": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "not_acceptable": HTTPStatus.NOT_ACCEPTABLE,
    "unknown_cursor": HTTPStatus.CONFLICT,
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "overloaded": HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The problems of the web layer itself. Those of the slices stand beside their routes."""

_NOT_THERE: Final = frozenset({"42P01", "42703", "42883", "3F000"})
"""SQLSTATEs of a table, column, function or schema that is missing: the database is not what this version needs."""

_CODE_OF: Final = {status: code for code, status in STATUS_OF.items() if status != HTTPStatus.CONFLICT}
"""What Litestar's own refusals are called; it has none that conflict."""
_DETAIL_OF: Final[Mapping[str, str]] = {
    "invalid_request": "The request is malformed.",
    "unauthenticated": "A valid bearer token is required.",
    "insufficient_scope": "The token's scope does not reach this operation.",
    "not_found": "There is nothing here for this caller.",
    "method_not_allowed": "The resource exists, but not for this method.",
    "not_acceptable": "This operation answers in other media types.",
    "unknown_cursor": "The cursor leads nowhere in this list. Start again without one.",
    "body_too_large": "The body exceeds the limit.",
    "unsupported_media_type": "This operation reads another media type.",
    "too_many_requests": "Too many requests; ask again later.",
    "internal_error": "The request failed and was not applied.",
    "overloaded": "Too many requests are under way. Nothing was done; asking again is safe.",
    "unavailable": "A part that is needed does not answer. Nothing was stored; asking again is safe.",
}


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request was refused (RFC 9457). Some types have further members."""

    type: str
    """A URI that names the kind of problem; look here first."""
    title: str
    status: int
    detail: str
    instance: str | None = None
    """The request, by its id."""
    errors: tuple[Fault, ...] = ()


class Refusal(Exception):
    """The web layer refuses a request, for a reason listed in `STATUS_OF`.

    `details` become members of the problem.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        faults: tuple[Fault, ...] = (),
        headers: Mapping[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail or _DETAIL_OF[code]
        self.faults = faults
        self.headers = headers or {}
        self.details = details


class Answer(Struct, frozen=True):
    """A problem ready to be sent, through Litestar or without it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


ON_FAILURE: Final = "on_failure"
"""An option of a handler: members that every problem of 500 and above carries there, whatever failed."""

FORM: Final = "form"
"""An option of a handler: what further members every problem has there, where a protocol of others wants them."""

Form = Callable[[int, str], Mapping[str, Any]]
"""Returns such members, from status and detail."""

Report = Callable[[BaseException, str], None]
"""Receives a bug and the id of its request; must log neither message nor values."""


class Problems:
    """Turns any exception into its problem.

    `statuses` are the slices' maps, merged. An error finds its own class or the nearest
    parent in it. One without any is a bug, and answered as such.
    """

    def __init__(self, statuses: Mapping[type[DomainError], int], report: Report) -> None:
        self._statuses: dict[type, int] = {Unavailable: HTTPStatus.SERVICE_UNAVAILABLE, **statuses}
        self._report = report

    def answer(self, error: Exception, request_id: str, said: Mapping[str, Any] | None = None) -> Answer:
        """Return the problem of `error`, with what is `said` on every failure of 500 and above."""
        answer = self._of(error, request_id)
        if said and answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            body = msgspec.json.encode({**said, **msgspec.json.decode(answer.body)})
            return Answer(answer.status, answer.headers, body)
        return answer

    def _of(self, error: Exception, request_id: str) -> Answer:
        match error:
            case Refusal():
                return _answer(error, request_id)
            case DomainError():
                status = next((self._statuses[kind] for kind in type(error).__mro__ if kind in self._statuses), None)
                if status is not None:
                    return _from_domain(error, status, request_id)
            case HTTPException() if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                return _from_litestar(error, request_id)
            case _:
                pass
        self._report(error, request_id)
        if _sqlstate(error) in _NOT_THERE:  # an operator has to see to it, and is told; whoever asks may ask again
            return _answer(Refusal("unavailable", headers={"retry-after": str(RETRY_AFTER)}), request_id)
        return _answer(Refusal("internal_error"), request_id)

    def handle(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """Litestar's exception handler, for every exception."""
        request_id = str(request.scope["state"].get("request_id", ""))
        answer = self.answer(error, request_id, _option(request, ON_FAILURE))
        if form := _option(request, FORM):
            said = msgspec.json.decode(answer.body)
            body = msgspec.json.encode({**form(answer.status, said["detail"]), **said})
            answer = Answer(answer.status, answer.headers, body)
        return Response(
            answer.body,
            status_code=answer.status,
            headers=dict(answer.headers),
            media_type=answer.headers["content-type"],
        )


def _sqlstate(error: Exception) -> str | None:
    """Return what a database called an error, whether or not SQLAlchemy stands between."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def _option(request: Request[Any, Any, Any], name: str) -> Any:
    scope: Mapping[str, Any] = request.scope
    handler = scope.get("route_handler")  # none where the path leads nowhere
    return None if handler is None else handler.opt.get(name)


def documented(*statuses: int) -> dict[int, ResponseSpec]:
    """Document the problems an operation answers with, for `responses=`.

    What every operation behind a token can answer is always included: 400, 401, 403, 500
    and 503. Operations with a body get 413 and 415 from `web/openapi.py`.
    """
    everywhere = (400, 401, 403, 500, 503)
    return {status: problem_response(status) for status in sorted({*everywhere, *statuses})}


def problem_response(status: int) -> ResponseSpec:
    code = _CODE_OF.get(HTTPStatus(status))
    description = _DETAIL_OF[code] if code else "The request is well-formed, but cannot be granted as things are."
    return ResponseSpec(
        data_container=Problem,
        generate_examples=False,
        description=description,
        media_type=MEDIA_TYPE,
    )


def type_of(code: str) -> str:
    return BASE + code


def title_of(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _from_domain(error: DomainError, status: int, request_id: str) -> Answer:
    headers = {"retry-after": str(RETRY_AFTER)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers = {"www-authenticate": "Bearer"}
    if status == HTTPStatus.TOO_MANY_REQUESTS and "after" in error.details:
        headers = {"retry-after": str(error.details["after"])}
    faults = (
        *(Fault(pointer=pointer, detail=str(error)) for pointer in error.pointers),
        *(Fault(parameter=name, detail=str(error)) for name in error.parameters),
    )
    return _render(error.code, status, str(error), request_id, headers=headers, details=error.details, faults=faults)


def _from_litestar(error: HTTPException, request_id: str) -> Answer:
    code = _CODE_OF.get(HTTPStatus(error.status_code), "invalid_request")
    faults: tuple[Fault, ...] = ()
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        faults = tuple(fault_in_parameter(str(extra.get("key", "")), str(extra["message"])) for extra in error.extra)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return _answer(Refusal(code, faults=faults, headers=headers), request_id)


def _answer(refusal: Refusal, request_id: str) -> Answer:
    return _render(
        refusal.code,
        STATUS_OF[refusal.code],
        refusal.detail,
        request_id,
        headers=refusal.headers,
        details=refusal.details,
        faults=refusal.faults,
    )


def _render(
    code: str,
    status: int,
    detail: str,
    request_id: str,
    *,
    headers: Mapping[str, str],
    details: Mapping[str, Any],
    faults: tuple[Fault, ...] = (),
) -> Answer:
    problem = Problem(
        type=type_of(code),
        title=title_of(code),
        status=status,
        detail=detail,
        instance=f"urn:volens:request:{request_id}" if request_id else None,
        errors=faults,
    )
    body = msgspec.json.encode({**details, **msgspec.to_builtins(problem)})
    return Answer(int(status), {"content-type": MEDIA_TYPE, **headers}, body)
