"""How codes get to people: by mail, by a webhook of the controller's own, or into a file where one tries things out.

A code is sent while its asker is answered already: how long it takes tells nobody whether there is an address. What
goes wrong is counted; whoever gets no code asks for another.
"""

import asyncio
import base64
import hmac
import os
import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec

from service.kernel import Clock
from service.requests.identity import Code

PATIENCE: Final = 20.0
"""Seconds for a mail or a call, and for those that are on their way when the process ends."""
_OK: Final = range(200, 300)
_SUBMISSION: Final = 587
_SUBMISSIONS: Final = 465


class Courier(Protocol):
    """Takes a code somewhere."""

    async def __call__(self, code: Code) -> None:
        """Raises: OSError and the errors of the library, if it didn't get there."""
        ...


class MailCourier:
    """Sends mail by SMTP: `smtps://USER:PASSWORD@HOST`, or `smtp://…`, which must offer STARTTLS unless it is local."""

    def __init__(self, url: str, sender: str) -> None:
        self._url = urlsplit(url)
        self._sender = sender

    async def __call__(self, code: Code) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, code.to, "Your code"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(
            f"Your code is {code.code}. It is good until {code.expires_at:%H:%M} UTC and shows that a privacy request\n"
            "is yours. If you made none, somebody else did in your name: do nothing, and tell nobody the code.\n"
        )
        await asyncio.to_thread(self._send, message)

    def _send(self, message: EmailMessage) -> None:
        host = self._url.hostname or ""
        if self._url.scheme == "smtps":
            context = ssl.create_default_context()
            with smtplib.SMTP_SSL(host, self._url.port or _SUBMISSIONS, timeout=PATIENCE, context=context) as server:
                self._deliver(server, message)
            return
        with smtplib.SMTP(host, self._url.port or _SUBMISSION, timeout=PATIENCE) as server:
            if host not in {"localhost", "127.0.0.1", "::1"}:
                server.starttls(context=ssl.create_default_context())
            self._deliver(server, message)

    def _deliver(self, server: smtplib.SMTP, message: EmailMessage) -> None:
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))
        server.send_message(message)


class WebhookCourier:
    """Posts codes to the controller's own sender, signed as Standard Webhooks lay it down (HMAC-SHA-256)."""

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        self._url = url
        self._secret = base64.b64decode(secret.removeprefix("whsec_"))
        self._clock = clock

    async def __call__(self, code: Code) -> None:
        body = msgspec.json.encode({"type": "identity.code", "data": msgspec.structs.asdict(code)})
        identity, stamp = base64.urlsafe_b64encode(os.urandom(18)).decode(), str(int(self._clock().timestamp()))
        signed = hmac.digest(self._secret, f"{identity}.{stamp}.".encode() + body, "sha256")
        headers = {
            "content-type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        patience = aiohttp.ClientTimeout(total=PATIENCE)
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status not in _OK:
                raise OSError(f"the webhook answered {answer.status}")


class FileCourier:
    """Writes codes into a file that its owner alone reads, to try things out on one machine. The address stays out."""

    def __init__(self, place: Path) -> None:
        self._place = place

    async def __call__(self, code: Code) -> None:
        line = f"{code.expires_at:%FT%H:%MZ} {code.tenant} {code.request} {code.channel} {code.code}\n"
        self._place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(line)


class Couriers:
    """Sends codes beside the requests, by the courier of their channel."""

    def __init__(self, by_channel: Mapping[str, Courier], failed: Callable[[str, BaseException], None]) -> None:
        self._by_channel = by_channel
        self._failed = failed
        self._under_way: set[asyncio.Task[None]] = set()

    def reaches(self, channel: str) -> bool:
        return channel in self._by_channel

    def __call__(self, code: Code) -> None:
        task = asyncio.create_task(self._send(code))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, code: Code) -> None:
        try:
            await self._by_channel[code.channel](code)
        except Exception as error:  # noqa: BLE001, whatever it was, nobody waits for it
            self._failed(code.channel, error)

    async def stop(self) -> None:
        """Let those arrive that are on their way."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=PATIENCE)
