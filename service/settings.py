"""All configuration: one frozen struct, read from the environment once, passed on as values.

Every setting is a variable `VOLENS_<NAME>`. A variable that starts with `VOLENS_` and is
none of ours is refused, and so is one that is set to nothing: a typing error or an empty
secret must not silently switch a protection off.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Annotated, Literal, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from service.web.auth import IssuerSettings
from service.web.faults import fault_in_body
from service.web.local_issuer import ISSUER

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


SECRET = frozenset({"database_url", "owner_database_url", "worker_database_url", "opa_token"})
"""Settings whose value is never shown."""

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
    try:
        if "issuers" in given:
            raw["issuers"] = msgspec.json.decode(given["issuers"])
        return msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        fault = fault_in_body(error)
        _, name, *place = (fault.pointer or "").split("/")
        inside = f" at /{'/'.join(place)}" if place else ""
        raise _unusable(name, f"has no usable value{inside}. {fault.detail}. {_meaning(name)}") from None
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise _unusable("issuers", f"is no JSON. {_meaning('issuers')}") from None


def _refuse_unusable(settings: Settings) -> None:
    """Refuse what has the right type and can't work, before anything is started with it."""
    for name in ("database_url", "owner_database_url", "worker_database_url"):
        url = getattr(settings, name)
        if url is not None and not url.startswith("postgresql://"):
            raise _unusable(name, "is no address postgresql://USER:PASSWORD@HOST/DATABASE")
        if url is not None and settings.database_url is None:
            raise _unusable(name, "is set, but VOLENS_DATABASE_URL is not")
    if settings.opa_url is not None and not _is_opa_address(settings.opa_url):
        raise _unusable("opa_url", "is no address http(s)://HOST:PORT, without a path")
    if settings.opa_binary is not None and which(settings.opa_binary) is None:
        raise _unusable("opa_binary", "names no program that can be run")
    names = [issuer.issuer for issuer in settings.issuers] + [ISSUER] * settings.local_issuer
    if len(set(names)) < len(names):
        raise _unusable("issuers", "lists an issuer twice")
    if settings.otlp_endpoint is not None and find_spec("opentelemetry") is None:
        raise _unusable("otlp_endpoint", "needs the extra `otel`: install volens[otel]")


def _is_opa_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        return bool(
            address.scheme in {"http", "https"} and address.hostname and address.port != 0 and address.path in {"", "/"}
        )
    except ValueError:  # a port that is no number
        return False


def _meaning(name: str) -> str:
    return str(_HINTS[name].__metadata__[0].description)


def _unusable(name: str, why: str) -> InvalidSettings:
    return InvalidSettings(f"{PREFIX}{name.upper()} {why}")
