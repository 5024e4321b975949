from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from service.downstreams.domain import Downstream, IdentityType, ShownSecret, StoredSecret, SystemKind, TaskKind
from service.kernel import exactly

SystemName = Annotated[str, exactly("[a-z0-9][a-z0-9-]{0,62}")]
Url = Annotated[str, exactly("https?://[!-~]{1,2000}")]
ClientName = Annotated[str, exactly("[A-Za-z0-9._:@/|-]{1,128}")]
Domain = Annotated[str, exactly("[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,63}){1,8}")]
_PEM = "-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\r\\n]{1,10000}-----END CERTIFICATE-----"
Certificate = Annotated[str, exactly(f"{_PEM}\\n?")]


class DownstreamPut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a system."""

    kind: SystemKind
    takes: Annotated[tuple[TaskKind, ...], Meta(min_length=1, max_length=len(TaskKind))]
    """Which kinds of tasks it is given."""
    url: Url | None = None
    """Where it is told, `https://…`. One that pulls has none."""
    client: ClientName | None = None
    """The `client_id` whose tokens speak for it; one that pulls needs it."""
    domain: Domain | None = None
    """Of an OpenDSR processor: the name in its certificate."""
    certificate: Certificate | None = None
    """Of an OpenDSR processor: the certificate (PEM) that it signs by."""
    identities: Annotated[tuple[IdentityType, ...], Meta(max_length=len(IdentityType))] = ()
    """By which values of the vault it is told of people, since it doesn't know your ids. Each time is a reveal."""

    def downstream(self, name: str) -> Downstream:
        return Downstream(
            name=name,
            kind=self.kind,
            takes=tuple(kind for kind in TaskKind if kind in self.takes),
            url=self.url,
            client=self.client,
            domain=self.domain,
            certificate=self.certificate,
            identities=tuple(each for each in IdentityType if each in self.identities),
        )


class SecretView(Struct, frozen=True, kw_only=True):
    """A secret, shown this once."""

    secret: str
    """`whsec_…`, for signatures `v1` in both directions."""
    public_key: str
    """`whpk_…`, for signatures `v1a` of what you are told."""

    @classmethod
    def of(cls, shown: ShownSecret) -> "SecretView":
        return cls(secret=shown.secret, public_key=shown.public_key)


class KeyView(Struct, frozen=True, kw_only=True):
    """A secret that is good, without the secret."""

    public_key: str
    made_at: datetime
    ends_at: datetime | None
    """Until when it is good; nothing as long as no other has followed."""


class DownstreamView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registered system."""

    name: str
    kind: SystemKind
    takes: tuple[TaskKind, ...]
    url: str | None = None
    client: str | None = None
    domain: str | None = None
    certificate: str | None = None
    identities: tuple[IdentityType, ...] = ()
    keys: tuple[KeyView, ...] = ()
    """The secrets that are good, the newest first: where one system is read."""
    secret: SecretView | None = None
    """In the answer that registered it, and never again."""

    @classmethod
    def of(
        cls, known: Downstream, secrets: Sequence[StoredSecret] = (), shown: ShownSecret | None = None
    ) -> "DownstreamView":
        return cls(
            name=known.name,
            kind=known.kind,
            takes=known.takes,
            url=known.url,
            client=known.client,
            domain=known.domain,
            certificate=known.certificate,
            identities=known.identities,
            keys=tuple(
                KeyView(public_key=each.public_key, made_at=each.made_at, ends_at=each.ends_at) for each in secrets
            ),
            secret=None if shown is None else SecretView.of(shown),
        )


class DownstreamPage(Struct, frozen=True, kw_only=True):
    """Registered systems, by their names."""

    downstreams: Sequence[DownstreamView]
