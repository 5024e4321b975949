"""Makes what handles the requests of people: the tables of the law, and the use cases over them."""

import secrets
from pathlib import Path
from typing import Any

from msgspec import Struct

from service.consent import StoreRecords
from service.decisions import Policy
from service.kernel import Clock, NewId
from service.requests.artefacts import read_periods, read_rights
from service.requests.calendar_of import public_holidays
from service.requests.couriers import Courier, Couriers, FileCourier, MailCourier, WebhookCourier
from service.requests.identity import DIGITS
from service.requests.identity_ports import Post
from service.requests.moving import MoveRequest
from service.requests.proving import SendCode, ShowIdentity
from service.requests.reading import ReadRequest, ReadRequests
from service.requests.statutes import Statutes
from service.requests.usecases import OpenRequest
from service.requests.writing import ReadLetter, ReadLetters, WriteLetter
from service.reveals import Nonce, RevealLog
from service.settings import Settings
from service.telemetry import Telemetry
from service.transaction import Begin
from service.vault import KeyAccess, Letters, MatchValues, OpenValues
from service.vault.envelope import seal, unseal
from service.vault.normal import normalised
from service.vault.usecases import Fields


class Safe(Struct, frozen=True, kw_only=True):
    """What of the vault the desk needs."""

    keys: KeyAccess
    fields: Fields
    open_values: OpenValues
    reveals: RevealLog
    nonce: Nonce


def statutes(build: Path, policy: Policy) -> Statutes:
    """Return what the shipped law says about requests, from the folder `build`."""
    return Statutes(
        rights=read_rights(build),
        periods=read_periods(build),
        calendar=public_holidays,
        zones=policy.gazetteer.zones,
    )


def couriers(settings: Settings, clock: Clock, telemetry: Telemetry) -> Couriers:
    """Return what sends codes: as the settings say, and without any into a file, while the local issuer is trusted."""
    ways: dict[str, Courier] = {}
    if settings.codes_webhook_url is not None and settings.codes_webhook_secret is not None:
        hook = WebhookCourier(settings.codes_webhook_url, settings.codes_webhook_secret, clock)
        ways = {"email": hook, "sms": hook}
    if settings.codes_smtp_url is not None and settings.codes_from is not None:
        ways["email"] = MailCourier(settings.codes_smtp_url, settings.codes_from)
    if not ways and settings.local_issuer:
        file = FileCourier(settings.data / "codes.txt")
        ways = {"email": file, "sms": file}
    return Couriers(ways, telemetry.code_not_sent)


def new_code() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"


def desk(
    begin: Begin, clock: Clock, new_id: NewId, law: Statutes, append: StoreRecords, safe: Safe, post: Post
) -> dict[str, Any]:
    """Return the dependencies of the routes about requests."""
    letters = Letters(safe.keys, seal, unseal)
    match_values = MatchValues(begin, safe.keys, safe.fields, normalised, safe.open_values)
    return {
        "open_request": OpenRequest(begin, clock, new_id, law, append),
        "read_requests": ReadRequests(begin, clock, law),
        "read_request": ReadRequest(begin, clock, law),
        "move_request": MoveRequest(begin, clock, law),
        "send_code": SendCode(
            begin, clock, new_id, law, safe.keys, safe.open_values, safe.reveals, safe.nonce, new_code, post
        ),
        "show_identity": ShowIdentity(begin, clock, law, safe.keys, match_values),
        "write_letter": WriteLetter(begin, clock, letters),
        "read_letters": ReadLetters(begin),
        "read_letter": ReadLetter(begin, letters),
    }
