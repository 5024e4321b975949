"""All configuration: one frozen struct, read from the environment once, passed on as values.

Every setting is a variable `VOLENS_<NAME>`. A variable that starts with `VOLENS_` and is
none of ours is refused, and so is one that is set to nothing: a typing error or an empty
secret must not silently switch a protection off.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from shutil import which
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from service.addresses import is_mail_server, is_opa_address, is_safe, is_web_address, is_webhook_secret
from service.kernel import TenantName
from service.web.faults import fault_in_body
from service.web.issuers import LOCAL, IssuerSettings

PREFIX = "VOLENS_"


class InvalidSettings(Exception):
    """A setting is unknown or has no usable value. Names the variable, never its value."""


class Settings(Struct, frozen=True, kw_only=True):
    data_dir: Annotated[str, Meta(description="Folder of the embedded database and the local keys.")] = ".volens"
    database_url: Annotated[
        str | None,
        Meta(description="PostgreSQL 15 or newer, as the application role. Unset: the embedded server."),
    ] = None
    owner_database_url: Annotated[
        str | None, Meta(description="The same database as its owner, for migrations. Default: VOLENS_DATABASE_URL.")
    ] = None
    worker_database_url: Annotated[
        str | None, Meta(description="The same database as the worker role. Default: VOLENS_DATABASE_URL.")
    ] = None
    pool_size: Annotated[int, Meta(ge=1, le=200, description="Database connections for each process.")] = 10
    opa_url: Annotated[
        str | None, Meta(description="An OPA server that serves our bundle. Unset: the embedded engine.")
    ] = None
    opa_binary: Annotated[
        str | None,
        Meta(description="The path of an OPA program, with which candidate Rego is tried. Unset: none is taken."),
    ] = None
    opa_token: Annotated[str | None, Meta(description="Bearer token for the OPA server.")] = None
    key_ring: Annotated[
        Literal["file", "transit", "aws-kms"],
        Meta(
            description="Where the vault's root key is: a file, OpenBao or Vault (transit), or AWS KMS (aws-kms).",
        ),
    ] = "file"
    key_ring_path: Annotated[
        str | None, Meta(description="The file of the key ring `file`. Default: root.keys in the data folder.")
    ] = None
    key_ring_url: Annotated[
        str | None,
        Meta(description="Address of the key ring `transit`; for `aws-kms` an endpoint other than the region's."),
    ] = None
    key_ring_key: Annotated[
        str | None, Meta(description="The root key's name in `transit`; its ARN, id or alias/NAME in `aws-kms`.")
    ] = None
    key_ring_mount: Annotated[
        str | None, Meta(description="Where the engine of `transit` is mounted. Default: transit.")
    ] = None
    key_ring_token: Annotated[
        str | None, Meta(description="Token for `transit`, or file:PATH of a file in which an agent renews it.")
    ] = None
    vault_key_cache_seconds: Annotated[
        int,
        Meta(ge=0, le=3600, description="How long a process remembers an unwrapped tenant key, in seconds; 0: not."),
    ] = 300
    log_name: Annotated[
        str,
        Meta(
            pattern="^[A-Za-z0-9][A-Za-z0-9./-]{0,99}$(?!\\n)",
            description="Name by which the audit log signs, before the tenant's: a domain of yours, kept for ever.",
        ),
    ] = "volens.example"
    log_keys_path: Annotated[
        str | None,
        Meta(description="The file of the keys by which the audit log signs. Default: log.keys in the data folder."),
    ] = None
    receipt_keys_path: Annotated[
        str | None,
        Meta(
            description="The file of the keys by which receipts are signed. Default: receipts.keys in the data folder."
        ),
    ] = None
    witnesses_path: Annotated[
        str | None,
        Meta(
            description="The file that names who cosigns the audit log (c2sp.org/tlog-policy). Unset: nobody is asked."
        ),
    ] = None
    witness_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="How often each witness is asked at most, in seconds.")
    ] = 10
    tsa_url: Annotated[
        str | None,
        Meta(description="A time-stamp authority (RFC 3161) for the audit log; needs the extra `timestamps`."),
    ] = None
    tsa_roots_path: Annotated[
        str | None, Meta(description="The file (PEM) of the root certificates of the time-stamp authority.")
    ] = None
    tsa_seconds: Annotated[
        int, Meta(ge=60, le=31_536_000, description="How often each log is time-stamped at most, in seconds.")
    ] = 3600
    exports_dir: Annotated[
        str | None,
        Meta(description="Folder of exports, which service and worker share. Default: exports in the data folder."),
    ] = None
    export_hours: Annotated[int, Meta(ge=1, le=8760, description="How long the file of an export lies, in hours.")] = 72
    export_link_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="How long a link to the file of an export is good, in seconds.")
    ] = 900
    export_four_eyes: Annotated[
        bool, Meta(description="Have a second person agree to every export (true or false).")
    ] = False
    public_url: Annotated[
        str | None,
        Meta(description="Where others reach this service, https://…: OpenDSR processors call back there. Unset: not."),
    ] = None
    downstream_hours: Annotated[
        int,
        Meta(ge=1, le=8760, description="How long a connected system may take to answer until it is silent, in hours."),
    ] = 120
    downstream_http: Annotated[
        bool, Meta(description="Let connected systems be at http:// addresses as well (true or false).")
    ] = False
    downstream_networks: Annotated[
        str | None,
        Meta(description="Networks of yours where connected systems may be: 10.1.0.0/16, with spaces between several."),
    ] = None
    opendsr_domain: Annotated[
        str | None,
        Meta(description="As which domain we answer in OpenDSR 2.0; the certificate names it. Unset: that is closed."),
    ] = None
    opendsr_key_path: Annotated[
        str | None, Meta(description="The file (PEM) of that certificate's RSA key, without a password.")
    ] = None
    opendsr_certificate_path: Annotated[str | None, Meta(description="The file (PEM) of that certificate.")] = None
    opendsr_certificate_url: Annotated[
        str | None, Meta(description="Where others find that certificate, https://… at that domain.")
    ] = None
    drp_directory: Annotated[
        str | None,
        Meta(description="The agents of the Data Rights Protocol: https://… or a file. Unset: that is closed."),
    ] = None
    drp_businesses: Annotated[
        dict[str, TenantName],
        Meta(description='Which tenant each business of that protocol is, JSON: {"ACME": "acme"}.'),
    ] = {}
    packages_dir: Annotated[
        str | None,
        Meta(description="Folder of packages, which service and worker share. Default: packages in the data folder."),
    ] = None
    package_hours: Annotated[
        int, Meta(ge=1, le=8760, description="How long an access package waits to be fetched, in hours.")
    ] = 72
    declared_dir: Annotated[
        str | None,
        Meta(description="Folder of what controllers state in access packages. Default: declared in the data folder."),
    ] = None
    lookups_per_minute: Annotated[
        int,
        Meta(ge=1, le=1_000_000, description="Lookups that a client may make in a minute, in each process."),
    ] = 600
    officer_people_per_hour: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="People of whom an officer's client may read one by one in an hour; more need an approval.",
        ),
    ] = 20
    codes_smtp_url: Annotated[
        str | None,
        Meta(description="Mail server for codes that show who somebody is: smtps://USER:PASSWORD@HOST, or smtp://…."),
    ] = None
    codes_from: Annotated[str | None, Meta(description="The address that such mail comes from.")] = None
    codes_webhook_url: Annotated[
        str | None, Meta(description="Where such codes are posted, to be sent by yourself: by SMS, or by mail as well.")
    ] = None
    codes_webhook_secret: Annotated[
        str | None, Meta(description="By which those posts are signed (Standard Webhooks): whsec_ and base64.")
    ] = None
    issuers: Annotated[
        tuple[IssuerSettings, ...],
        Meta(description='Trusted issuers, JSON: [{"issuer": URL, "jwks": URL or file, "tenant": only this one?}].'),
    ] = ()
    audience: Annotated[str, Meta(description="The `aud` that tokens must carry.")] = "volens"
    local_issuer: Annotated[
        bool, Meta(description="Trust the key in the data folder, which `volens token` signs with.")
    ] = True
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes any free one.")] = 8080
    workers: Annotated[int, Meta(ge=1, le=64, description="Processes of `volens serve`, behind its one port.")] = 1
    requests_at_once: Annotated[
        int, Meta(ge=1, le=10_000, description="Requests under way in each process; one more is 503.")
    ] = 128
    work_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(
            description="Port at VOLENS_HOST on which `volens work` answers GET /metrics; 0: any free one. Unset: none."
        ),
    ] = None
    body_limit: Annotated[int, Meta(ge=1024, description="Largest request body, in bytes.")] = 8 * 1024 * 1024
    hsts: Annotated[
        bool, Meta(description="Answer with Strict-Transport-Security (true or false); switch on behind TLS.")
    ] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least level of log lines: debug, info, warning or error."),
    ] = "info"
    otlp_endpoint: Annotated[
        str | None, Meta(description="OpenTelemetry collector (OTLP over HTTP); needs the extra `otel`.")
    ] = None

    @property
    def data(self) -> Path:
        return Path(self.data_dir).absolute()


def networks(settings: Settings) -> list[IPv4Network | IPv6Network]:
    """Return the networks in which connected systems may be. Raises ValueError."""
    return [ip_network(each) for each in (settings.downstream_networks or "").split()]


SECRET = frozenset(
    {
        "database_url",
        "owner_database_url",
        "worker_database_url",
        "opa_token",
        "key_ring_token",
        "codes_smtp_url",
        "codes_webhook_secret",
    }
)
"""Settings whose value is never shown."""

_JSON = frozenset({"issuers", "drp_businesses"})
"""Settings that are written in JSON."""

_OF_KEY_RING: Mapping[str, Mapping[str, bool]] = {
    "file": {"path": False},
    "transit": {"url": True, "key": True, "token": True, "mount": False},
    "aws-kms": {"key": True, "url": False},
}
"""Which `key_ring_` settings each ring takes, and whether it needs them."""

_HINTS = get_type_hints(Settings, include_extras=True)


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings that `environment` describes.

    Raises:
        InvalidSettings: a `VOLENS_` variable is unknown, or its value unusable.
    """
    names = {PREFIX + field.upper(): field for field in _HINTS}
    ours = {name: text for name, text in environment.items() if name.startswith(PREFIX)}
    if unknown := sorted(ours.keys() - names.keys()):
        raise InvalidSettings(f"unknown setting {unknown[0]}; `volens settings` lists them all")
    settings = _converted({names[name]: text for name, text in ours.items()})
    _refuse_unusable(settings)
    return settings


def described(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (variable, present value, meaning) of every setting, secrets hidden."""
    rows = []
    for name in _HINTS:
        value = getattr(settings, name)
        shown = "(unset)" if value is None else "(set)" if name in SECRET else msgspec.json.encode(value).decode()
        rows.append((PREFIX + name.upper(), shown, _meaning(name)))
    return rows


def _converted(given: Mapping[str, str]) -> Settings:
    raw: dict[str, object] = dict(given)
    for name, text in given.items():
        if not text.strip():
            raise _unusable(name, "is set to nothing; unset it, or give it a value")
    for name in sorted(_JSON & given.keys()):
        try:
            raw[name] = msgspec.json.decode(given[name])
        except (msgspec.DecodeError, UnicodeEncodeError):
            raise _unusable(name, f"is no JSON. {_meaning(name)}") from None
    try:
        return msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        fault = fault_in_body(error)
        _, name, *place = (fault.pointer or "").split("/")
        inside = f" at /{'/'.join(place)}" if place else ""
        raise _unusable(name, f"has no usable value{inside}. {fault.detail}. {_meaning(name)}") from None


def _refuse_unusable(settings: Settings) -> None:
    """Refuse what has the right type and can't work, before anything is started with it."""
    for name in ("database_url", "owner_database_url", "worker_database_url"):
        url = getattr(settings, name)
        if url is not None and not url.startswith("postgresql://"):
            raise _unusable(name, "is no address postgresql://USER:PASSWORD@HOST/DATABASE")
        if url is not None and settings.database_url is None:
            raise _unusable(name, "is set, but VOLENS_DATABASE_URL is not")
    if settings.public_url is not None and not is_web_address(settings.public_url):
        raise _unusable("public_url", "is no address http(s)://HOST")
    try:
        networks(settings)
    except ValueError:
        raise _unusable("downstream_networks", "names no networks such as 10.1.0.0/16") from None
    if settings.opa_url is not None and not is_opa_address(settings.opa_url):
        raise _unusable("opa_url", "is no address http(s)://HOST:PORT, without a path")
    if settings.opa_binary is not None and which(settings.opa_binary) is None:
        raise _unusable("opa_binary", "names no program that can be run")
    _refuse_unusable_ring(settings)
    _refuse_unusable_authority(settings)
    _refuse_unusable_codes(settings)
    _refuse_unusable_doors(settings)
    names = [issuer.issuer for issuer in settings.issuers] + [LOCAL] * settings.local_issuer
    if len(set(names)) < len(names):
        raise _unusable("issuers", "lists an issuer twice")
    if settings.otlp_endpoint is not None and find_spec("opentelemetry") is None:
        raise _unusable("otlp_endpoint", "needs the extra `otel`: install volens[otel]")


def _refuse_unusable_ring(settings: Settings) -> None:
    """Refuse a ring with too few settings, or with those of another: they would be meant for something."""
    taken = _OF_KEY_RING[settings.key_ring]
    for name in ("path", "url", "key", "mount", "token"):
        given = getattr(settings, f"key_ring_{name}") is not None
        if given and name not in taken:
            raise _unusable(f"key_ring_{name}", f"is set, but the key ring {settings.key_ring} takes none")
        if not given and taken.get(name):
            raise _unusable(f"key_ring_{name}", f"is not set, and the key ring {settings.key_ring} needs it")
    if settings.key_ring_url is not None and not is_safe(settings.key_ring_url):
        raise _unusable("key_ring_url", "is no address https://HOST:PORT (http only on this machine)")
    if settings.key_ring == "aws-kms" and find_spec("boto3") is None:
        raise _unusable("key_ring", "aws-kms needs the extra `aws`: install volens[aws]")


def _refuse_unusable_authority(settings: Settings) -> None:
    """Refuse time-stamps that nobody could judge. A token is signed, and only a hash travels: http will do."""
    if (settings.tsa_url is None) != (settings.tsa_roots_path is None):
        raise _unusable("tsa_roots_path", "and VOLENS_TSA_URL go together")
    if settings.tsa_url is None:
        return
    if not is_web_address(settings.tsa_url):
        raise _unusable("tsa_url", "is no address http(s)://HOST/PATH")
    if find_spec("rfc3161_client") is None:
        raise _unusable("tsa_url", "needs the extra `timestamps`: install volens[timestamps]")


def _refuse_unusable_codes(settings: Settings) -> None:
    """Refuse half a way to send codes, and one on which others could read them."""
    if (settings.codes_smtp_url is None) != (settings.codes_from is None):
        raise _unusable("codes_from", "and VOLENS_CODES_SMTP_URL go together")
    if settings.codes_smtp_url is not None and not is_mail_server(settings.codes_smtp_url):
        raise _unusable("codes_smtp_url", "is no address smtps://USER:PASSWORD@HOST or smtp://USER:PASSWORD@HOST")
    if (settings.codes_webhook_url is None) != (settings.codes_webhook_secret is None):
        raise _unusable("codes_webhook_secret", "and VOLENS_CODES_WEBHOOK_URL go together")
    if settings.codes_webhook_url is not None and not is_safe(settings.codes_webhook_url):
        raise _unusable("codes_webhook_url", "is no address https://HOST/PATH (http only on this machine)")
    if settings.codes_webhook_secret is not None and not is_webhook_secret(settings.codes_webhook_secret):
        raise _unusable("codes_webhook_secret", "is not whsec_ and 24 to 64 bytes in base64")


def _refuse_unusable_doors(settings: Settings) -> None:
    """Refuse half a certificate, and a directory on whose way others could exchange keys."""
    for name in ("opendsr_key_path", "opendsr_certificate_path", "opendsr_certificate_url"):
        if (settings.opendsr_domain is None) != (getattr(settings, name) is None):
            raise _unusable(name, "and VOLENS_OPENDSR_DOMAIN go together")
    if settings.opendsr_certificate_url is not None and not is_safe(settings.opendsr_certificate_url):
        raise _unusable("opendsr_certificate_url", "is no address https://HOST/PATH (http only on this machine)")
    if settings.drp_directory is not None and "://" in settings.drp_directory and not is_safe(settings.drp_directory):
        raise _unusable("drp_directory", "is no file and no address https://HOST/PATH (http only on this machine)")
    if (settings.drp_directory is None) != (not settings.drp_businesses):
        raise _unusable("drp_businesses", "and VOLENS_DRP_DIRECTORY go together")


def _meaning(name: str) -> str:
    return str(_HINTS[name].__metadata__[0].description)


def _unusable(name: str, why: str) -> InvalidSettings:
    return InvalidSettings(f"{PREFIX}{name.upper()} {why}")
