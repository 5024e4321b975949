"""All configuration: one frozen struct, read from the environment once, passed on as values.

Every setting is a variable `VOLENS_<NAME>`. A variable that starts with `VOLENS_` and
is none of ours is refused: a typing error must not silently switch a protection off.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct

from service.web.auth import IssuerSettings

PREFIX = "VOLENS_"


class InvalidSettings(Exception):
    """A setting is unknown or has no usable value. Names the variable, never its value."""


class Settings(Struct, frozen=True, kw_only=True):
    data_dir: Annotated[str, Meta(description="Folder of the embedded database and the local keys.")] = ".volens"
    database_url: Annotated[
        str | None, Meta(description="PostgreSQL 15 or newer, as the application role. Unset: the embedded server.")
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
    hsts: Annotated[bool, Meta(description="Answer with Strict-Transport-Security; switch on behind TLS.")] = False
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least level of log lines.")
    ] = "info"
    otlp_endpoint: Annotated[
        str | None, Meta(description="OpenTelemetry collector (OTLP over HTTP); needs the extra `otel`.")
    ] = None

    @property
    def data(self) -> Path:
        return Path(self.data_dir).absolute()


SECRET = frozenset({"database_url", "owner_database_url", "worker_database_url", "opa_token"})
"""Settings whose value is never shown."""


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings that `environment` describes.

    Raises:
        InvalidSettings: a `VOLENS_` variable is unknown or its value unusable.
    """
    given = {name.removeprefix(PREFIX).lower(): text for name, text in environment.items() if name.startswith(PREFIX)}
    if unknown := sorted(given.keys() - set(Settings.__struct_fields__)):
        raise InvalidSettings(f"unknown setting {PREFIX}{unknown[0].upper()}; `volens settings` lists them all")
    hints = get_type_hints(Settings, include_extras=True)
    values = {}
    for name, text in given.items():
        try:
            raw = msgspec.json.decode(text.encode()) if name == "issuers" else text
            values[name] = msgspec.convert(raw, hints[name], strict=False)
        except msgspec.MsgspecError as error:
            raise InvalidSettings(f"{PREFIX}{name.upper()} has no usable value: {type(error).__name__}") from None
    return Settings(**values)


def described(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (variable, present value, meaning) of every setting, secrets hidden."""
    rows = []
    for name, hint in get_type_hints(Settings, include_extras=True).items():
        value = getattr(settings, name)
        shown = "(set)" if name in SECRET and value else msgspec.json.encode(value).decode()
        rows.append((PREFIX + name.upper(), shown, hint.__metadata__[0].description or ""))
    return rows
