"""An agent of the Data Rights Protocol, written from its specification and by nothing of ours."""

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TEXT = {"content-type": "text/plain"}
BUSINESS = "SHOP"


class Agent:
    """Asks for people. Its messages are good for ten minutes from `clock` on."""

    def __init__(self, client: httpx.AsyncClient, clock: Callable[[], datetime], name: str = "CONSUMER_AGENT") -> None:
        self.client = client
        self.clock = clock
        self.name = name
        self.key = Ed25519PrivateKey.generate()
        self.token = ""

    @property
    def listed(self) -> dict[str, str]:
        """The agent's entry in the service directory."""
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"id": self.name, "name": "An agent", "verify_key": base64.b64encode(public).decode()}

    @property
    def shown(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def said(self, **members: Any) -> dict[str, Any]:
        now = self.clock()
        return {
            "agent-id": self.name,
            "business-id": BUSINESS,
            "issued-at": now.isoformat(),
            "expires-at": (now + timedelta(minutes=10)).isoformat(),
            "drp.version": "1.0",
        } | members

    def signed(self, said: Any) -> str:
        body = json.dumps(said).encode()
        return base64.b64encode(self.key.sign(body) + body).decode()

    async def ask(self, method: str, path: str, content: str | None = None) -> httpx.Response:
        headers = self.shown | (TEXT if content is not None else {})
        return await self.client.request(method, path, content=content, headers=headers)

    async def enrol(self, **members: Any) -> httpx.Response:
        answer = await self.client.post(
            f"/v1/agent/{self.name}", content=self.signed(self.said(**members)), headers=TEXT
        )
        self.token = answer.json().get("token", self.token)
        return answer

    def wish(self, *, agent_request_id: str | None = None, **members: Any) -> dict[str, Any]:
        named = {} if agent_request_id is None else {"agent-request-id": agent_request_id}
        asked = {"exercise": "deletion", "regime": "ccpa", "name": "Ada", "email": "ada@mail.example"}
        return self.said() | asked | named | members

    async def exercise(self, **members: Any) -> httpx.Response:
        return await self.ask("POST", "/v1/data-rights-request", self.signed(self.wish(**members)))


def listed_in(file: Path, *agents: Agent) -> None:
    file.write_text(json.dumps([agent.listed for agent in agents]))


def unreadable(file: Path) -> None:
    file.write_text("[")
