"""Makes the doors through which requests come in the protocols of others, and what is told through them."""

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography import x509

from service.connecting import guard
from service.doors import Tables, drp
from service.doors.agents import Agents, Drp, Network
from service.doors.directory import AgentDirectory
from service.doors.domain import CallbackUnusable, Door, Status
from service.doors.opendsr import stands
from service.doors.ports import Processor
from service.doors.processing import OpenDsr
from service.doors.signing import KeyUnusable, signs
from service.doors.telling import Message, Tell, TellStatus
from service.doors.usecases import ReadIntake, TakeBack, TakeIn
from service.downstreams import Send
from service.downstreams.certificates import Certificates
from service.downstreams.domain import DownstreamUnusable, SignatureRefused
from service.downstreams.ed25519 import Ed25519
from service.kernel import Caller, Clock, NewId, SubjectId, TenantId
from service.settings import InvalidSettings, Settings
from service.transaction import Begin
from service.trips import Trips
from service.vault import FieldUnknown, KeyAccess
from service.vault.boxes import open_box, seal_box
from service.vault.lookup import Lookup
from service.vault.values import FieldNotIndexed, ValueRefused

TABLES: Final = Path(__file__).parents[1] / "policies" / "doors.json"
"""What the words of the protocols mean here."""
_JSON: Final = {"content-type": "application/json"}


def tables() -> Tables:
    """Return the table of words.

    Raises:
        OSError, msgspec.MsgspecError: it is missing, or isn't what docs/doors.md says.
    """
    return msgspec.json.decode(TABLES.read_bytes(), type=Tables)


async def unhurried(by: Caller) -> int:
    """Let everybody look up at once: a right is not to be refused because others use theirs."""
    return 0


def processor(settings: Settings) -> Processor | None:
    """Return who answers in OpenDSR; nobody where the operator says nothing of it.

    A certificate that ended keeps nothing from starting: whoever checks what it signs refuses that.

    Raises:
        InvalidSettings: nothing can be signed by this key and certificate, or they don't go together.
    """
    if settings.opendsr_domain is None:
        return None
    domain, probe, certificates = settings.opendsr_domain, b"volens", Certificates()
    try:
        sign = signs(Path(str(settings.opendsr_key_path)).read_bytes())
    except (OSError, KeyUnusable):
        raise InvalidSettings("VOLENS_OPENDSR_KEY_PATH names no file with an RSA key without a password") from None
    try:
        certificate = Path(str(settings.opendsr_certificate_path)).read_text()
        begun = x509.load_pem_x509_certificate(certificate.encode()).not_valid_before_utc
        certificates.check(certificate, domain, begun)
        certificates.verify(certificate, domain, sign(probe), probe, begun)
    except (OSError, ValueError, DownstreamUnusable, SignatureRefused):
        raise InvalidSettings(
            "VOLENS_OPENDSR_CERTIFICATE_PATH names no certificate of VOLENS_OPENDSR_DOMAIN and of its key"
        ) from None
    return Processor(domain, str(settings.opendsr_certificate_url), sign)


def doors(
    settings: Settings,
    begin: Begin,
    keys: KeyAccess,
    desk: dict[str, Any],
    lookup: Lookup,
    clock: Clock,
    new_id: NewId,
) -> dict[str, Any]:
    """Return the dependencies of the routes of the protocols. `desk` has those of the routes about requests."""

    async def find(field: str, value: str, by: Caller) -> Sequence[SubjectId]:
        try:
            return await lookup(field, value, by=by)
        except (FieldUnknown, FieldNotIndexed, ValueRefused):
            return []

    words, judged = tables(), guard(settings)

    def allowed(url: str) -> None:
        if not (url.startswith("https://") or (settings.downstream_http and url.startswith("http://"))):
            raise CallbackUnusable("only https:// is told")
        try:
            judged(url)
        except DownstreamUnusable as error:
            raise CallbackUnusable(str(error)) from None

    take_in = TakeIn(
        begin,
        keys,
        seal_box,
        open_box,
        find,
        desk["open_request"],
        desk["write_letter"],
        allowed,
        words,
        clock,
        new_id,
    )
    read, back = ReadIntake(begin, keys, open_box, words), TakeBack(begin, desk["move_request"])
    network = None
    if settings.drp_directory is not None:
        network = Network(AgentDirectory(settings.drp_directory, clock), settings.drp_businesses)
    agents = Agents(begin, network, Ed25519().verifies, os.urandom, clock)
    return {
        "open_dsr": OpenDsr(processor(settings), take_in, read, back, words, clock),
        "drp_agents": agents,
        "drp": Drp(agents, take_in, read, back, begin, words, clock),
    }


def telling(settings: Settings, begin: Begin, keys: KeyAccess, send: Send, clock: Clock, new_id: NewId) -> TellStatus:
    """Return what tells senders how far their requests are, as the worker."""
    tells: dict[Door, Tell] = {}
    signer = processor(settings)
    if signer is not None:

        def in_opendsr(status: Status, tenant: TenantId, url: str) -> Message:
            body = msgspec.json.encode(stands(status, tenant, url))
            return {**_JSON, **signer.headers(body)}, body

        tells[Door.OPENDSR] = in_opendsr
    if settings.drp_directory is not None:

        def in_drp(status: Status, tenant: TenantId, url: str) -> Message:
            return _JSON, msgspec.json.encode(drp.stands(status))

        tells[Door.DRP] = in_drp
    return TellStatus(begin, keys, open_box, tables(), tells, send, clock, random.random, Trips.together, new_id)
