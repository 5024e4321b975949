from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.doors.agents import Agents, Drp
from service.doors.drp import AgentName, AgentRefused, AgentUnknown, DrpAgent, DrpStatus, DrpToken, DrpUnusable
from service.kernel import DomainError
from service.web.auth import PUBLIC
from service.web.bodies import TEXT, LiteralRequest
from service.web.problems import FORM, documented

DRP_STATUS: Final[Mapping[type[DomainError], int]] = {
    AgentRefused: HTTPStatus.FORBIDDEN,
    AgentUnknown: HTTPStatus.UNAUTHORIZED,
    DrpUnusable: HTTPStatus.BAD_REQUEST,
}
_AGAIN: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}


def in_form(status: int, detail: str) -> Mapping[str, Any]:
    """Return what the protocol wants to know of an error (section 3.06)."""
    fatal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _AGAIN
    return {"code": str(status), "message": detail, "fatal": fatal}


class DrpController(Controller):
    """Requests of agents, in the Data Rights Protocol 1.0.

    An agent's own token stands for ours; bodies are base64 of an Ed25519 signature and the JSON that it signs.
    """

    path = "/v1"
    tags = ("Data Rights Protocol",)

    @post(
        "/data-rights-request",
        operation_id="takeDataRightsRequest",
        opt={PUBLIC: True, TEXT: True, FORM: in_form},
        responses=documented(409),
        status_code=HTTPStatus.OK,
    )
    async def exercise(self, request: LiteralRequest, drp: NamedDependency[Drp]) -> DrpStatus:
        """Ask for somebody (section 2.01).

        The answer is the same whether or not anybody is known. An opt-out counts at once for everybody whom the
        e-mail address or the phone number fits. With the same `agent-request-id` the same is answered like the
        first time, and anything else is a 409.
        """
        return await drp.exercise(_token(request), await request.text(), request=_id(request))

    @get(
        "/data-rights-request/{request_id:uuid}",
        operation_id="readDataRightsRequest",
        opt={PUBLIC: True, FORM: in_form},
        responses=documented(404, 409),
    )
    async def status(self, request: LiteralRequest, request_id: FromPath[UUID], drp: NamedDependency[Drp]) -> DrpStatus:
        """Read how far a request is (section 2.02). That of another agent is a 403."""
        return await drp.status(_token(request), request_id, request=_id(request))

    @delete(
        "/data-rights-request/{request_id:uuid}",
        operation_id="revokeDataRightsRequest",
        opt={PUBLIC: True, TEXT: True, FORM: in_form},
        responses=documented(404, 409),
        status_code=HTTPStatus.OK,
    )
    async def revoke(self, request: LiteralRequest, request_id: FromPath[UUID], drp: NamedDependency[Drp]) -> DrpStatus:
        """Take a request back (section 2.04), as long as nothing is being done that can't be undone."""
        return await drp.revoke(_token(request), request_id, await request.text(), request=_id(request))

    @post(
        "/agent/{agent:str}",
        operation_id="makeAgentToken",
        opt={PUBLIC: True, TEXT: True, FORM: in_form},
        responses=documented(409),
        status_code=HTTPStatus.OK,
    )
    async def token(
        self, request: LiteralRequest, agent: FromPath[AgentName], drp_agents: NamedDependency[Agents]
    ) -> DrpToken:
        """Get a token (section 2.05). The one before ends."""
        token = await drp_agents.token(agent, await request.text(), request=_id(request))
        return DrpToken(agent_id=agent, token=token)

    @get(
        "/agent/{agent:str}",
        operation_id="readAgent",
        opt={PUBLIC: True, FORM: in_form},
        responses=documented(409),
    )
    async def known(self, request: LiteralRequest, agent: FromPath[AgentName], drp: NamedDependency[Drp]) -> DrpAgent:
        """See whether a token is still good (section 2.06)."""
        await drp.known(_token(request), agent, request=_id(request))
        return DrpAgent()


def _token(request: LiteralRequest) -> str:
    return request.headers.get("authorization", "")


def _id(request: LiteralRequest) -> str:
    return str(request.scope["state"]["request_id"])
