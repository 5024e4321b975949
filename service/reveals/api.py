from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.decisions import Context
from service.kernel import Caller, DomainError, SubjectId
from service.reveals.approval import (
    ApprovalNeeded,
    ApprovalUnknown,
    ApprovalUnusable,
    SecondPersonNeeded,
    TooManyPeople,
)
from service.reveals.approving import GiveApproval, ReadApprovals, RequestApproval
from service.reveals.batches import RevealBatch
from service.reveals.domain import ChannelNeeded, OfficersOnly, RevealDenied, RevealUnclear
from service.reveals.lines import Answered, Asked, Outcome
from service.reveals.schemas import (
    AnswerLine,
    ApprovalCreate,
    ApprovalPage,
    ApprovalView,
    BatchCreate,
    BatchLine,
    RevealCreate,
    RevealView,
    RevokedView,
    Summary,
    SummaryLine,
    TokenCreate,
    TokenRevoke,
    TokenView,
)
from service.reveals.token import TokenUnknown
from service.reveals.tokens import IssueToken, RevokeToken
from service.reveals.usecases import Reveal
from service.web import pages
from service.web.auth import needs
from service.web.bodies import StrictBody, strictly
from service.web.faults import Fault
from service.web.lines import LineResponse, Lines, lined
from service.web.problems import Refusal, documented

STATUS: Final[Mapping[type[DomainError], int]] = {
    ApprovalNeeded: HTTPStatus.CONFLICT,
    ApprovalUnknown: HTTPStatus.NOT_FOUND,
    ApprovalUnusable: HTTPStatus.CONFLICT,
    ChannelNeeded: HTTPStatus.CONFLICT,
    OfficersOnly: HTTPStatus.FORBIDDEN,
    RevealDenied: HTTPStatus.FORBIDDEN,
    RevealUnclear: HTTPStatus.CONFLICT,
    SecondPersonNeeded: HTTPStatus.CONFLICT,
    TokenUnknown: HTTPStatus.NOT_FOUND,
    TooManyPeople: HTTPStatus.TOO_MANY_REQUESTS,
}
_encode: Final = msgspec.json.Encoder().encode


async def revealed(reveal: Reveal, caller: Caller, body: Any) -> RevealView:
    """Answer what a body asks to read."""
    asked = strictly(body, RevealCreate)
    wish = asked.wish()
    if wish is None:
        stood_for = await reveal.resolved(asked.token or "", asked.channel, asked.context or Context(), by=caller)
        wish = msgspec.structs.replace(stood_for, version=asked.version)
    return RevealView.of(await reveal(wish, by=caller))


class RevealController(Controller):
    """Read the vault in plain, for a stated purpose, where the law permits it now."""

    path = "/v1/vault"
    tags = ("Vault",)

    @post(
        "/reveal",
        operation_id="reveal",
        opt=needs("vault:reveal"),
        responses=documented(404, 409, 410, 429),
        status_code=HTTPStatus.OK,
    )
    async def reveal(
        self, request: Request[Caller, Any, Any], data: StrictBody[RevealCreate], reveal: NamedDependency[Reveal]
    ) -> RevealView:
        """Read values of one person in plain.

        Whether you may is decided first, as by `POST /v1/decisions`, and logged. A denial opens
        nothing: it is a 403 `reveal_denied` with the `decision` and its reasons, also for a person
        nobody told us about. What a field doesn't allow for the purpose comes masked, and so does,
        for a contact, an address of another channel than the one that was decided on. The reveal
        is in the audit log before the answer leaves. The purposes `dsr_response` and `legal_claim`
        need no decision, but the scope `vault:officer`; of more than a few people an hour only a batch
        with an approval may read for them. A `token` stands for subject, fields and purpose.
        """
        return await revealed(reveal, request.user, data)

    @post(
        "/reveal/batch",
        operation_id="revealBatch",
        opt=needs("vault:reveal") | lined(BatchCreate, BatchLine, AnswerLine, SummaryLine),
        responses=documented(404, 409, 413, 415),
        status_code=HTTPStatus.OK,
    )
    async def batch(
        self, request: Request[Caller, Any, Any], reveal_batch: NamedDependency[RevealBatch]
    ) -> Response[bytes]:
        """Read values of many people in plain, as a stream of lines.

        The first line is the question, each further one a person: `{"subject": "…"}`. Each is
        answered by a line, in the same order, with its decision; a line that is no person gets
        `invalid` and harms no other. The last line is the summary: without it the answer is not
        whole. Read while you send, since what you don't read holds up what you send. Purposes of
        officers need an approval, which one attempt uses up.
        """
        lines = Lines.of(request)
        question = strictly(await lines.first(), BatchCreate).question()
        return LineResponse(_told(await reveal_batch(question, _asked(lines), by=request.user)))

    @post(
        "/tokens",
        operation_id="issueToken",
        opt=needs("vault:reveal"),
        responses=documented(404, 409, 410),
        status_code=HTTPStatus.CREATED,
    )
    async def issue(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[TokenCreate],
        issue_token: NamedDependency[IssueToken],
    ) -> TokenView:
        """Make a token that stands for a value, for one purpose and one recipient.

        It opens nothing by itself: the recipient sends it to `POST /v1/vault/reveal`, where it is
        decided anew each time. It is shown this once.
        """
        wanted = strictly(data, TokenCreate)
        token = await issue_token(
            subject=SubjectId(wanted.subject),
            name=wanted.field,
            purpose=wanted.purpose,
            recipient=wanted.recipient,
            by=request.user,
        )
        return TokenView(token=token)

    @post(
        "/tokens/revoke",
        operation_id="revokeToken",
        opt=needs("vault:reveal"),
        responses=documented(404),
        status_code=HTTPStatus.OK,
    )
    async def revoke(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[TokenRevoke],
        revoke_token: NamedDependency[RevokeToken],
    ) -> RevokedView:
        """Make a token worthless for ever. Again is safe."""
        await revoke_token(strictly(data, TokenRevoke).token, by=request.user)
        return RevokedView(revoked=True)


class ApprovalController(Controller):
    """Four eyes on what officers read of many people at once."""

    path = "/v1/vault/approvals"
    tags = ("Vault",)

    @post("/", operation_id="requestApproval", opt=needs("vault:officer"), responses=documented())
    async def ask(
        self,
        request: Request[Caller, Any, Any],
        data: StrictBody[ApprovalCreate],
        request_approval: NamedDependency[RequestApproval],
    ) -> ApprovalView:
        """Ask a second officer to agree to a reading of many people.

        It is for you alone, for one batch, and for 24 hours from now.
        """
        wanted = strictly(data, ApprovalCreate)
        asked = await request_approval(
            purpose=wanted.purpose,
            fields=tuple(dict.fromkeys(wanted.fields)),
            subjects=wanted.subjects,
            reference=wanted.reference,
            by=request.user,
        )
        return ApprovalView.of(*asked)

    @post(
        "/{approval:uuid}/approve",
        operation_id="giveApproval",
        opt=needs("vault:officer"),
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def give(
        self,
        request: Request[Caller, Any, Any],
        approval: FromPath[UUID],
        give_approval: NamedDependency[GiveApproval],
    ) -> ApprovalView:
        """Agree to what another officer asked for. Nobody agrees for themselves."""
        return ApprovalView.of(*await give_approval(approval, by=request.user))

    @get("/", operation_id="readApprovals", opt=needs("vault:officer"), responses=documented())
    async def read(
        self,
        request: Request[Caller, Any, Any],
        read_approvals: NamedDependency[ReadApprovals],
        cursor: pages.Cursor = None,
        limit: pages.Limit = pages.DEFAULT,
    ) -> Response[ApprovalPage]:
        """Read what officers asked for, newest first."""
        found, more = await read_approvals(before=pages.position_in(cursor, UUID), limit=limit, by=request.user)
        return pages.page(request, ApprovalPage(approvals=[ApprovalView.of(*each) for each in found]), more)


async def _asked(lines: Lines) -> AsyncIterator[Sequence[Asked]]:
    number = 0
    async for chunk in lines.chunks():
        yield [_line(number + place, text) for place, text in enumerate(chunk, start=1)]
        number += len(chunk)


def _line(number: int, text: bytes | None) -> Asked:
    if text is None:
        return Asked(line=number, subject=None, faults=(_fault(Fault(pointer="", detail="The line is too long")),))
    try:
        return Asked(line=number, subject=SubjectId(strictly(text, BatchLine).subject))
    except Refusal as refusal:
        return Asked(line=number, subject=None, faults=tuple(map(_fault, refusal.faults)))


def _fault(fault: Fault) -> dict[str, str]:
    return {"pointer": fault.pointer or "", "detail": fault.detail}


async def _told(answers: AsyncIterator[Sequence[Answered]]) -> AsyncGenerator[bytes]:
    """Write each chunk as lines, and the summary."""
    counted: Counter[Outcome] = Counter()
    async for chunk in answers:
        counted.update(each.outcome for each in chunk)
        yield b"".join(_encode(AnswerLine.of(each)) + b"\n" for each in chunk)
    summary = Summary(lines=counted.total(), outcomes=dict(sorted(counted.items())))
    yield _encode(SummaryLine(summary=summary)) + b"\n"
