"""Codes on their way: to a mail server, to a webhook, into a file, each of them real."""

import asyncio
import base64
import hmac
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_string
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from service.desk import couriers
from service.kernel import TenantId
from service.requests.couriers import Couriers, WebhookCourier
from service.requests.identity import Code
from service.settings import InvalidSettings, Settings, read
from service.telemetry import Telemetry
from tests.conftest import FakeClock

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CODE = Code(
    tenant=TenantId("acme"),
    request=UUID(int=7),
    channel="email",
    to="anna@mail.example",
    code="01234567",
    expires_at=datetime(2026, 11, 21, 9, 10, tzinfo=UTC),
)


class Mailbox:
    """A mail server that takes whatever comes, or refuses it (RFC 5321)."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.mails: list[Message] = []
        self.logins: list[str] = []
        self._refuses = refuses

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        while line := (await reader.readline()).decode().strip():
            word = line.partition(" ")[0].upper()
            if word == "DATA":
                writer.write(b"354 go on\r\n")
                lines = []
                while (part := (await reader.readline()).decode()) != ".\r\n":
                    lines.append(part)
                self.mails.append(message_from_string("".join(lines)))
            elif word == "AUTH":
                self.logins.append(base64.b64decode(line.split()[2]).decode())
            if word == "EHLO":
                writer.write(b"250-mail.example\r\n250 AUTH PLAIN\r\n")
            elif word == "RCPT" and self._refuses:
                writer.write(f"550 no {line}\r\n".encode())
            elif word == "AUTH":
                writer.write(b"235 welcome\r\n")
            else:
                writer.write(b"221 bye\r\n" if word == "QUIT" else b"250 OK\r\n")
            await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(mailbox: Mailbox) -> AsyncIterator[int]:
    async with await asyncio.start_server(mailbox, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def hooked(status: int = 200) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Lend the address of a webhook, and what it got."""
    got: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/codes", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/codes", got  # type: ignore[union-attr]
    finally:
        await runner.cleanup()


@pytest.fixture
def telemetry(clock: FakeClock) -> Telemetry:
    return Telemetry(clock)


def lost(telemetry: Telemetry) -> float:
    return telemetry.registry.get_sample_value("volens_codes_not_sent_total", {"channel": "email"}) or 0.0


async def test_a_mail_server_gets_the_code_with_the_login_of_the_settings(clock: FakeClock, telemetry: Telemetry):
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        settings = Settings(codes_smtp_url=f"smtp://mailer:p%40ss@127.0.0.1:{port}", codes_from="privacy@acme.example")
        post = couriers(settings, clock, telemetry)
        assert (post.reaches("email"), post.reaches("sms")) == (True, False)
        post(CODE)
        await post.stop()

    (mail,) = mailbox.mails
    assert (mail["From"], mail["To"]) == ("privacy@acme.example", "anna@mail.example")
    assert "Your code is 01234567." in mail.get_payload()
    assert mailbox.logins == ["\0mailer\0p@ss"]
    assert lost(telemetry) == 0


async def test_a_webhook_gets_the_code_signed_as_standard_webhooks_lay_it_down(clock: FakeClock, telemetry: Telemetry):
    async with hooked() as (url, got):
        post = couriers(Settings(codes_webhook_url=url, codes_webhook_secret=SECRET), clock, telemetry)
        assert (post.reaches("email"), post.reaches("sms")) == (True, True)
        post(CODE)
        await post.stop()

    ((headers, body),) = got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(bytes(range(32)), signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-timestamp"] == str(int(clock().timestamp()))
    assert b'"code":"01234567"' in body
    assert b'"to":"anna@mail.example"' in body


async def test_what_does_not_get_there_is_counted_and_names_nobody(clock: FakeClock, capfdbinary: Any):
    telemetry = Telemetry(clock)
    async with serving(Mailbox(refuses=True)) as port, hooked(500) as (url, _):
        mail = Settings(codes_smtp_url=f"smtp://127.0.0.1:{port}", codes_from="privacy@acme.example")
        hook = Settings(codes_webhook_url=url, codes_webhook_secret=SECRET)
        for settings in (mail, hook):
            post = couriers(settings, clock, telemetry)
            post(CODE)
            await post.stop()

    assert lost(telemetry) == 2
    told = b"".join(capfdbinary.readouterr())
    assert told.count(b"code_not_sent") == 2
    assert b"anna" not in told
    assert b"01234567" not in told


async def test_nobody_who_asks_waits_for_a_slow_courier():
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(code: Code) -> None:
        begun.set()
        await go.wait()

    post = Couriers({"email": slow}, lambda *_: None)
    post(CODE)
    await begun.wait()
    go.set()
    await post.stop()


async def test_without_a_way_codes_lie_in_a_file_of_their_owner_where_the_local_issuer_is_trusted(
    tmp_path: Path, clock: FakeClock, telemetry: Telemetry
):
    post = couriers(Settings(data_dir=str(tmp_path)), clock, telemetry)
    post(CODE)
    await post.stop()

    file = tmp_path / "codes.txt"
    assert file.read_text().split() == ["2026-11-21T09:10Z", "acme", str(CODE.request), "email", "01234567"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    nowhere = couriers(Settings(data_dir=str(tmp_path), local_issuer=False), clock, telemetry)
    assert not nowhere.reaches("email")


async def test_a_redirect_of_a_webhook_is_not_followed(clock: FakeClock):
    async with hooked(307) as (url, got):
        with pytest.raises(OSError, match="307"):
            await WebhookCourier(url, SECRET, clock)(CODE)
    assert len(got) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"CODES_SMTP_URL": "smtps://mail.example"},
        {"CODES_FROM": "privacy@acme.example"},
        {"CODES_SMTP_URL": "http://mail.example", "CODES_FROM": "privacy@acme.example"},
        {"CODES_WEBHOOK_URL": "https://acme.example/codes"},
        {"CODES_WEBHOOK_URL": "http://acme.example/codes", "CODES_WEBHOOK_SECRET": SECRET},
        {"CODES_WEBHOOK_URL": "https://acme.example/codes", "CODES_WEBHOOK_SECRET": "whsec_c2hvcnQ="},
        {"CODES_WEBHOOK_URL": "https://acme.example/codes", "CODES_WEBHOOK_SECRET": "secret"},
    ],
)
def test_half_a_way_or_an_open_one_is_refused(changes: dict[str, str]):
    with pytest.raises(InvalidSettings):
        read({f"VOLENS_{name}": value for name, value in changes.items()})
