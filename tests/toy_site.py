"""A small site with one slice of toys: what the tests of `service/web` send requests to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID, uuid4

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from litestar import Controller, Litestar, Request, Response, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from msgspec import Meta, Struct

from service.kernel import Caller, DomainError, Instant, SubjectRef, Unavailable
from service.web.auth import Authenticator, needs, own_subject
from service.web.bodies import StrictBody, strictly
from service.web.health import health
from service.web.keys import IssuerSettings, KeyRing
from service.web.pages import DEFAULT, Cursor, Limit, page, position_in
from service.web.problems import ON_FAILURE, documented
from service.web.site import site

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ISSUER = "https://id.example"
AUDIENCE = "volens"

RSA = rsa.generate_private_key(65537, 2048)
SHORT_RSA = rsa.generate_private_key(65537, 1024)  # that it is refused is the test
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
STRANGER = ed25519.Ed25519PrivateKey.generate()


class Clock:
    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class Silence:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []
        self.bugs: list[BaseException] = []
        self.refused = 0

    def request(self, scope: Any, status: int, seconds: float) -> None:
        self.requests.append((scope.get("path_template") or "none", status))

    def bug(self, error: BaseException, request_id: str) -> None:
        self.bugs.append(error)

    def in_progress(self, count: Callable[[], int], limit: int) -> None:
        self.under_way = count

    def overloaded(self) -> None:
        self.refused += 1


class ToyBroken(DomainError):
    """The toy is broken."""

    code = "toy_broken"


class ToyUnheardOf(DomainError):
    """Nobody gave this error a status."""

    code = "toy_unheard_of"


class EngineSilent(Unavailable):
    code = "engine_silent"


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=9)]


class Toy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A toy."""

    id: UUID
    subject: SubjectRef
    at: Instant
    colour: Colour
    soft: bool = False
    note: Annotated[str, Meta(max_length=40)] | None = None
    parts: Annotated[list[Part], Meta(max_length=3)] = []
    labels: dict[str, Colour] = {}


class ToyView(Struct, frozen=True, kw_only=True):
    id: UUID
    owner: str
    tenant: str
    actor: str


class Toybox(Struct, frozen=True, kw_only=True):
    toys: list[int]


class Shelf:
    """Stands for a use case."""

    def __init__(self) -> None:
        self.toys: list[Toy] = []

    def put(self, toy: Toy) -> None:
        self.toys.append(toy)


async def added(shelf: Shelf, caller: Caller, body: Any) -> ToyView:
    """The thin function of `addToy`."""
    toy = strictly(body, Toy)
    own_subject(caller, toy.subject)
    shelf.put(toy)
    return ToyView(id=toy.id, owner=toy.subject, tenant=caller.tenant, actor=caller.actor)


async def handed(caller: Caller, body: Any, *, subject: str) -> ToyView:
    """The thin function of `giveToy`."""
    strictly(body, Part)
    return ToyView(id=UUID(int=2), owner=subject, tenant=caller.tenant, actor=caller.actor)


class ToyController(Controller):
    """Keep toys."""

    path = "/v1"
    tags = ("Toys",)

    @post("/toys", operation_id="addToy", opt=needs("records:write", own=True) | {ON_FAILURE: {"toy": "not added"}},
          responses=documented(404, 409))  # fmt: skip
    async def add(
        self, data: StrictBody[Toy], shelf: NamedDependency[Shelf], request: Request[Caller, Any, State]
    ) -> ToyView:
        """Add a toy."""
        return await added(shelf, request.user, data)

    @get("/toys", operation_id="listToys", opt=needs("records:read"), responses=documented())
    async def list(
        self,
        request: Request[Caller, Any, State],
        limit: FromQuery[Limit] = DEFAULT,
        cursor: FromQuery[Cursor] = None,
        since: FromQuery[Instant | None] = None,
        soft: FromQuery[bool] = False,
    ) -> Response[Toybox]:
        """List the numbers of all toys."""
        start = position_in(cursor, int) or 0
        toys = [*range(start + 1, min(start + limit, 7) + 1)]
        return page(request, Toybox(toys=toys), toys[-1] if toys and toys[-1] < 7 else None)

    @get("/subjects/{subject:str}/toys", operation_id="toysOf", opt=needs("records:read", own=True),
         responses=documented(404))  # fmt: skip
    async def of(self, subject: FromPath[SubjectRef], request: Request[Caller, Any, State]) -> ToyView:
        """Return someone's toy."""
        return ToyView(id=UUID(int=1), owner=subject, tenant=request.user.tenant, actor=request.user.actor)

    @put("/toys/{name:str}/broken", operation_id="breakToy", opt=needs("records:write"),
         responses=documented(409))  # fmt: skip
    async def fail(self, name: FromPath[str]) -> ToyView:
        """Fail in the way that `name` says."""
        failures: dict[str, Exception] = {
            "domain": ToyBroken("the toy is broken", toy="bear"),
            "nobody": ToyUnheardOf("no status"),
            "engine": EngineSilent("the engine is silent", decision="deny"),
            "database": Unavailable("the database is gone"),
            "bug": RuntimeError("lovelace@mail.example"),
        }
        raise failures[name]


class ShelfController(Controller):
    """Another controller on a path of the first."""

    path = "/v1/subjects"
    tags = ("Toys",)

    @put("/{subject:str}/toys", operation_id="giveToy", opt=needs("records:write", own=True),
         responses=documented(404))  # fmt: skip
    async def give(
        self, subject: FromPath[SubjectRef], data: StrictBody[Part], request: Request[Caller, Any, State]
    ) -> ToyView:
        """Give someone a part."""
        return await handed(request.user, data, subject=subject)


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    kinds = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256", ed25519.Ed25519PrivateKey: "EdDSA"}
    algorithm = next(name for kind, name in kinds.items() if isinstance(key, kind))
    members = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    members.pop("key_ops", None)
    return {**members, "kid": kid, **more}


def jwks(*keys: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"keys": list(keys)})


def claims(**changes: Any) -> dict[str, Any]:
    """Claims of a good token; ``None`` leaves one out."""
    now = int(NOON.timestamp())
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "mailer",
        "client_id": "mailer",
        "iat": now - 60,
        "exp": now + 600,
        "jti": str(uuid4()),
        "tenant": "acme",
        "scope": "records:write records:read",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def token(
    key: Any = ED, algorithm: str = "EdDSA", kid: str | None = "ed", typ: str | None = "at+jwt", **changes: Any
) -> str:
    """Sign claims that no library would let pass; ``None`` leaves a header out."""
    headers = {"typ": typ} if kid is None else {"typ": typ, "kid": kid}
    return jwt.PyJWS().encode(msgspec.json.encode(claims(**changes)), key, algorithm, headers)


def bearer(text: str | None = None, **changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {text or token(**changes)}"}


class Issuer:
    """Serves a JWKS and counts how often it is asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.document = jwks(*keys)
        self.asked = 0
        self.down = False

    async def __call__(self, place: str) -> bytes:
        self.asked += 1
        if self.down:
            raise ConnectionError
        return self.document


def ring_of(issuer: Issuer, clock: Callable[[], datetime], **settings: Any) -> KeyRing:
    return KeyRing([IssuerSettings(issuer=ISSUER, jwks="https://id.example/jwks", **settings)], clock, issuer)


def toy_site(
    *, ring: KeyRing | None = None, observer: Any = None, shelf: Shelf | None = None, **options: Any
) -> Litestar:
    clock = Clock()
    observer = observer or Silence()
    ring = ring or ring_of(Issuer(jwk(ED, "ed")), clock)

    async def there() -> bool:
        return True

    operation = (
        [health({"database": there}, options.pop("metrics"), lambda: "sha256:law")] if "metrics" in options else []
    )
    return site(
        [ToyController, ShelfController, *operation],
        statuses={ToyBroken: 409},
        dependencies={"shelf": shelf or Shelf()},
        authenticator=Authenticator(ring, clock, audience=AUDIENCE),
        observer=observer,
        new_id=uuid4,
        **options,
    )
