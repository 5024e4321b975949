"""Whom personal data in an export is encrypted to: age (age-encryption.org/v1), by an X25519 key."""

import pyrage


def is_recipient(text: str) -> bool:
    try:
        pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        return False
    return True


def encrypted(content: bytes, recipient: str) -> bytes:
    """Return `content` for whoever has the key to `recipient`, and nobody else."""
    sealed: bytes = pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(recipient)])
    return sealed
