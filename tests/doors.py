"""What the tables of the tests of all operations have of doors: how each is asked, and how they are opened."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.agent import BUSINESS, Agent, listed_in

DSR = "8f14e45f-ceea-467a-9575-8b7fb37e29f7"
DOMAIN = "processor.example"
PUBLIC = {"takeDataRightsRequest", "readDataRightsRequest", "revokeDataRightsRequest", "makeAgentToken", "readAgent"}
GUARDED = ("discoverOpenDsr", "takeOpenDsrRequest", "readOpenDsrRequest", "cancelOpenDsrRequest")
REFUSED = dict.fromkeys(GUARDED, "door_closed")
"""What those answer that need a token, where the operator has set up nothing."""
NAMES = {"subject_request_id": DSR, "agent": "CONSUMER_AGENT"}
TO_OTHERS = dict.fromkeys(("discoverOpenDsr", "readOpenDsrRequest"), 409)


def asked(address: str = "ada@mail.example") -> dict[str, Any]:
    """Return a request of OpenDSR."""
    return {
        "regulation": "gdpr",
        "subject_request_id": DSR,
        "subject_request_type": "access",
        "submitted_time": "2026-11-20T10:00:00Z",
        "subject_identities": [{"identity_type": "email", "identity_value": address, "identity_format": "raw"}],
    }


def bodies() -> dict[str, Any]:
    """Return what each operation that has a body is sent."""
    signed = dict.fromkeys(("takeDataRightsRequest", "revokeDataRightsRequest", "makeAgentToken"), "AAAA")
    return {"takeOpenDsrRequest": asked(), **signed}


def certificate(key: RSAPrivateKey, clock: Callable[[], datetime], domain: str = DOMAIN, days: int = 365) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(clock() - timedelta(days=1))
        .not_valid_after(clock() + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def opened(folder: Path, clock: Callable[[], datetime], tenant: str, *agents: Agent) -> dict[str, Any]:
    """Return the settings that open both doors for a tenant, with their files in a folder."""
    key = generate_private_key(65537, 2048)
    (folder / "dsr.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "dsr.pem").write_text(certificate(key, clock))
    listed_in(folder / "agents.json", *agents)
    return {
        "opendsr_domain": DOMAIN,
        "opendsr_key_path": str(folder / "dsr.key"),
        "opendsr_certificate_path": str(folder / "dsr.pem"),
        "opendsr_certificate_url": f"https://{DOMAIN}/opendsr.pem",
        "drp_directory": str(folder / "agents.json"),
        "drp_businesses": {BUSINESS: tenant},
    }


def in_environment(settings: dict[str, Any]) -> dict[str, str]:
    """Return settings as variables."""
    return {
        f"VOLENS_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
