import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Controller, MediaType, Request, Response, Router, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from service.audit.domain import AuditEvent
from service.audit.proof_schemas import ConsistencyView, LogKeysView, LogKeyView, TimestampView
from service.audit.proving import (
    CheckpointUnknown,
    EntryUnclear,
    EntryUnknown,
    EntryWaits,
    ProveConsistency,
    ProveEntry,
    ReadCheckpoint,
    ReadLogKeys,
    ReadTiles,
    ReadTimestamp,
    TileUnknown,
    TimestampUnknown,
)
from service.audit.tiles import Tile
from service.kernel import Caller, DomainError, TenantName
from service.web.auth import PUBLIC, needs
from service.web.problems import documented

PROOF_STATUS: Final[Mapping[type[DomainError], int]] = {
    CheckpointUnknown: HTTPStatus.NOT_FOUND,
    EntryUnclear: HTTPStatus.CONFLICT,
    EntryUnknown: HTTPStatus.NOT_FOUND,
    EntryWaits: HTTPStatus.CONFLICT,
    TileUnknown: HTTPStatus.NOT_FOUND,
    TimestampUnknown: HTTPStatus.NOT_FOUND,
}
_FOR_EVER: Final = {"cache-control": "public, max-age=31536000, immutable"}
_TEXT: Final = {200: ResponseSpec(str, media_type=MediaType.TEXT, description="A text, to keep as it is.")}
_BYTES: Final = {200: ResponseSpec(bytes, media_type="application/octet-stream", description="Hashes, 32 bytes each.")}

Size = Annotated[
    int | None, QueryParameter(ge=0, le=2**53 - 1, description="Against the tree of so many entries; else the newest.")
]
Cosigners = Annotated[
    int, QueryParameter(ge=0, le=100, description="The newest tree, or that size, if so many witnesses cosigned it.")
]
Least = Annotated[
    int | None,
    QueryParameter(ge=0, le=2**53 - 1, description="The first of a tree of at least so many entries; else the newest."),
]
Entry = Annotated[UUID | None, QueryParameter(description="The id of an audit entry.")]
Record = Annotated[UUID | None, QueryParameter(description="The id of a record: the entry that it was stored.")]
Decided = Annotated[UUID | None, QueryParameter(description="The id of a decision: the entry that it was made.")]
Old = Annotated[int, QueryParameter(name="from", ge=0, le=2**53 - 1, description="The size of the older tree.")]
New = Annotated[
    int | None,
    QueryParameter(name="to", ge=0, le=2**53 - 1, description="The size of the newer tree; else the newest."),
]
OfTenant = Annotated[TenantName, QueryParameter(description="Whose log.")]


class ProofController(Controller):
    """Prove what the log says to somebody who trusts nobody."""

    path = "/v1/audit"
    tags = ("Audit",)

    @get("/checkpoint", operation_id="readCheckpoint", opt=needs("audit:read"), responses=documented(404) | _TEXT)
    async def checkpoint(
        self,
        request: Request[Caller, Any, Any],
        read_checkpoint: NamedDependency[ReadCheckpoint],
        size: Size = None,
        cosigners: Cosigners = 0,
    ) -> Response[str]:
        """Read what the log signed: origin, size and root of its tree (c2sp.org/tlog-checkpoint).

        Lines of witnesses who saw it follow that of the log. Keep it. Whoever has an old one can tell whether
        anything before it was changed.
        """
        return _text(await read_checkpoint(size, cosigners, by=request.user))

    @get("/timestamp", operation_id="readTimestamp", opt=needs("audit:read"), responses=documented(404))
    async def timestamp(
        self, request: Request[Caller, Any, Any], read_timestamp: NamedDependency[ReadTimestamp], size: Least = None
    ) -> TimestampView:
        """Read what a time-stamp authority (RFC 3161) said of a checkpoint: that it was there, and when."""
        note, token = await read_timestamp(size, by=request.user)
        return TimestampView(checkpoint=note, token=base64.b64encode(token).decode())

    @get(
        "/proofs/inclusion",
        operation_id="proveInclusion",
        opt=needs("audit:read"),
        responses=documented(404, 409) | _TEXT,
    )
    async def inclusion(
        self,
        request: Request[Caller, Any, Any],
        prove_entry: NamedDependency[ProveEntry],
        entry: Entry = None,
        record: Record = None,
        decision: Decided = None,
        size: Size = None,
    ) -> Response[str]:
        """Prove that an entry is in the signed tree (c2sp.org/tlog-proof, with the entry in it).

        Name exactly one of `entry`, `record` and `decision`. An entry has its place within seconds; until
        then the answer is 409. Of an imported record, or a decision of a batch, many of which share an entry, the
        answer is JSON (volens-member/v1): that proof, and beside it what proves this one and shows no other.
        """
        match entry, record, decision:
            case UUID(), None, None:
                proof = await prove_entry(entry, size, by=request.user)
            case None, UUID(), None:
                proof = await prove_entry.of_object(AuditEvent.RECORD_STORED, record, size, by=request.user)
            case None, None, UUID():
                proof = await prove_entry.of_object(AuditEvent.DECISION_MADE, decision, size, by=request.user)
            case _:
                raise EntryUnclear(
                    "name exactly one of `entry`, `record` and `decision`", parameters=["entry", "record", "decision"]
                )
        return _text(proof)

    @get("/proofs/consistency", operation_id="proveConsistency", opt=needs("audit:read"), responses=documented(404))
    async def consistency(
        self,
        request: Request[Caller, Any, Any],
        prove_consistency: NamedDependency[ProveConsistency],
        since: Old,
        until: New = None,
    ) -> ConsistencyView:
        """Prove that an older tree is the beginning of a newer one: nothing in it was changed, moved or dropped."""
        return ConsistencyView.of(await prove_consistency(since, until, by=request.user))

    @get(
        "/tile/{level:str}/{number:path}",
        operation_id="readTile",
        opt=needs("audit:read"),
        responses=documented(404) | _BYTES,
    )
    async def tile(
        self,
        request: Request[Caller, Any, Any],
        read_tiles: NamedDependency[ReadTiles],
        level: FromPath[str],
        number: FromPath[str],
    ) -> Response[bytes]:
        """Read a part of the tree (c2sp.org/tlog-tiles): hashes that tell nothing about anybody.

        A tile never changes, so it may be kept for ever.
        """
        try:
            tile = Tile.of(f"tile/{level}{number}")
        except ValueError:
            raise TileUnknown("the tree has no such tile") from None
        hashes = await read_tiles(tile, by=request.user)
        return Response(hashes, media_type="application/octet-stream", headers=_FOR_EVER)


@get("/log-keys", operation_id="readLogKeys", tags=["Audit"], responses=documented())
async def log_keys(read_log_keys: NamedDependency[ReadLogKeys], tenant: OfTenant) -> LogKeysView:
    """Read by which keys a tenant's log and its receipts are signed, and were: all of them, for ever.

    Each `verifier_key` is a line as in c2sp.org/signed-note. Get them from here over TLS, once, and keep them.
    """
    return LogKeysView(
        origin=read_log_keys.origin(tenant),
        keys=[
            LogKeyView(verifier_key=line, public=base64.b64encode(public).decode(), since=since)
            for line, public, since in await read_log_keys(tenant)
        ],
    )


WELL_KNOWN: Final = Router("/.well-known/volens", route_handlers=[log_keys], opt={PUBLIC: True})


def _text(content: str) -> Response[str]:
    return Response(content, media_type=MediaType.TEXT)
