"""Write what `service.audit.notes` reads: verifier keys, checkpoints, signatures, cosignatures."""

import base64
from collections.abc import Callable, Iterable

from msgspec import Struct

from service.audit.notes import COSIGNER, Key, Note, cosigned, is_name


class Signer(Struct, frozen=True, kw_only=True):
    """A key, and what signs with it: Ed25519 (RFC 8032) of the message as it is, 64 bytes."""

    key: Key
    sign: Callable[[bytes], bytes]


def verifier_key(key: Key) -> str:
    """Return the line by which others come to believe `key`."""
    return f"{key.name}+{key.id.hex()}+{_base64(bytes([key.type]) + key.public)}"


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """Return what the log signs: three lines, none of them an extension."""
    if not is_name(origin) or size < 0 or len(root) != 32:
        raise ValueError("not a checkpoint")
    return f"{origin}\n{size}\n{_base64(root)}\n"


def signature_line(key: Key, signature: bytes, at: int | None = None) -> str:
    """Return the line of a signature. A cosigner's says when, in POSIX seconds."""
    if (at is not None) != (key.type == COSIGNER):
        raise ValueError("cosigners say when, and nobody else does")
    stamp = b"" if at is None else at.to_bytes(8, "big")
    return f"— {key.name} {_base64(key.id + stamp + signature)}\n"


def signed(text: str, signers: Iterable[Signer]) -> str:
    """Return the note of `text`, signed by each."""
    return f"{text}\n{''.join(signature_line(signer.key, signer.sign(text.encode())) for signer in signers)}"


def cosign(note: str, witness: Signer, at: int) -> str:
    """Return `note` with the signature of a witness who saw it at this POSIX second."""
    text = Note.parse(note).text
    return note + signature_line(witness.key, witness.sign(cosigned(text, at)), at)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
