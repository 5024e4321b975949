"""Write what `service.audit.verify` reads. The formats stand there, and in `service.audit.ranges`."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from service.audit.grouped import MEMBER
from service.audit.notes import Checkpoint
from service.audit.ranges import EXPORT
from service.audit.receipted import CERTIFICATE_TYPE, RECEIPT_TYPE
from service.audit.selections import SELECTION, Spine, gap
from service.audit.signing import Signer
from service.audit.tiles import ReadTile, Span, hashes_of, span_hash, spans_around, spans_within
from service.audit.tree import leaf_hash
from service.audit.verifier import CONSISTENCY, PROOF, RECEIPT

_ASCII: Final = json.JSONEncoder(separators=(",", ":")).encode


def proof_text(index: int, hashes: Iterable[bytes], checkpoint: str, entry: bytes | None = None) -> str:
    """Return a c2sp.org/tlog-proof. It can be verified by itself if it has the canonical `entry` with it."""
    extra = [] if entry is None else [f"extra {base64.b64encode(entry).decode()}"]
    proof = (base64.b64encode(node).decode() for node in hashes)
    return "\n".join([PROOF, *extra, f"index {index}", *proof, "", checkpoint])


def consistency_text(old: str, new: str, hashes: Iterable[bytes]) -> str:
    return _ASCII({"format": CONSISTENCY, "old": old, "new": new, "proof": [node.hex() for node in hashes]})


def receipt(claims: Mapping[str, Any], signer: Signer) -> str:
    """Return the claims as a compact JWS (RFC 7515). They name the entry by `jti` and `leaf`."""
    return jws(RECEIPT_TYPE, claims, signer)


def certificate(claims: Mapping[str, Any], signer: Signer) -> str:
    """Return the claims as a JWS like that of a receipt. The entry commits to what is in `erasure`."""
    return jws(CERTIFICATE_TYPE, claims, signer)


def kid_of(signer: Signer) -> str:
    """Return by what name a JWS knows its key: the beginning of its verifier key."""
    return f"{signer.key.name}+{signer.key.id.hex()}"


def jws(kind: str, claims: Mapping[str, Any], signer: Signer) -> str:
    """Return the claims as a compact JWS of typ `kind`. What else is signed by the same key has another."""
    header = {"alg": "EdDSA", "typ": kind, "kid": kid_of(signer)}
    message = f"{_base64url(_ASCII(header).encode())}.{_base64url(_ASCII(claims).encode())}"
    return f"{message}.{_base64url(signer.sign(message.encode()))}"


def receipt_text(jws: str, proof: str) -> str:
    return _ASCII({"format": RECEIPT, "receipt": jws, "proof": proof})


def spans_of_export(first: int, after: int, size: int) -> list[Span]:
    """Return all subtrees that the header of an export names: read their tiles, then write it."""
    left, right = spans_around(first, after, size)
    return [*left, *spans_within(first, after), *right]


def member_text(members: Mapping[str, Any], proof: str) -> str:
    """Return what `service.audit.grouped` reads of one for which an entry stands with others."""
    return _ASCII({"format": MEMBER, **members, "proof": proof})


def export_header(first: int, after: int, checkpoint: str, read: ReadTile) -> bytes:
    """Return the first line of an export of the entries [first, after), without its end."""
    size = Checkpoint.parse(checkpoint).size
    left, right = spans_around(first, after, size)

    def roots(spans: Sequence[Span]) -> list[str]:
        return [root.hex() for root in hashes_of(spans, size, read)]

    return _ASCII(
        {
            "format": EXPORT,
            "from": first,
            "to": after,
            "checkpoint": checkpoint,
            "left": roots(left),
            "tiles": roots(spans_within(first, after)),
            "right": roots(right),
        }
    ).encode()


def export_line(index: int, entry: bytes) -> bytes:
    """Return the line of one entry, by its canonical bytes, without its end."""
    return b'{"index":%d,"leaf":"%b","entry":%b}' % (index, leaf_hash(entry).hex().encode(), entry)


class SelectionLines:
    """Writes the lines of a selection, each without its end: `header`, a `line` for each entry, and `end`."""

    def __init__(self, checkpoint: str) -> None:
        self._note = checkpoint
        self.size = Checkpoint.parse(checkpoint).size
        self._spine = Spine()
        self._entries = 0

    def spans(self, indexes: Iterable[int], *, last: bool = False) -> list[Span]:
        """Return the subtrees that the next lines name, with `last` also those of the end: read their tiles first."""
        spans: list[Span] = []
        at = self._spine.size
        for index in (*indexes, *([self.size] if last else ())):
            spans += gap(at, index)
            at = index + 1
        return spans

    def header(self, wanted: Mapping[str, Any]) -> bytes:
        return _ASCII({"format": SELECTION, "checkpoint": self._note, "wanted": wanted}).encode()

    def line(self, index: int, entry: bytes, read: ReadTile) -> bytes:
        skip, tree, leaf = self._skip(index, read), self._spine.root(), leaf_hash(entry)
        self._spine.push(leaf, 1)
        self._entries += 1
        return b'{"index":%d,"skip":[%b],"tree":"%b","leaf":"%b","entry":%b}' % (
            index,
            skip,
            tree.hex().encode(),
            leaf.hex().encode(),
            entry,
        )

    def end(self, read: ReadTile) -> bytes:
        return b'{"entries":%d,"skip":[%b]}' % (self._entries, self._skip(self.size, read))

    def _skip(self, index: int, read: ReadTile) -> bytes:
        roots = []
        for low, high in gap(self._spine.size, index):
            root = span_hash((low, high), self.size, read)
            self._spine.push(root, high - low)
            roots.append(b'"%b"' % root.hex().encode())
        return b",".join(roots)


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
