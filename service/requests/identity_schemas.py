from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from service.kernel import exactly
from service.requests.identity import Address, Answer, Sent
from service.vault import FieldName

Digits = Annotated[str, exactly("[0-9]{8}")]


class CodeWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a code is to go: to an address that the vault has of the person."""

    address: Annotated[str, exactly("(email|phone)(#[a-z0-9][a-z0-9_-]{0,62})?")] = "email"
    """The name of a value in the vault."""

    def wanted(self) -> Address:
        return Address(name=self.address)


class CodeSent(Struct, frozen=True, kw_only=True):
    """What is told of a code, the same whether or not the vault has such an address."""

    request: UUID
    channel: str
    expires_at: datetime

    @classmethod
    def of(cls, sent: Sent) -> "CodeSent":
        return cls(request=sent.request, channel=sent.channel, expires_at=sent.expires_at)


class IdentityShown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shows who somebody is: a code, what the vault has of them, or, with neither, their own token."""

    code: Digits | None = None
    said: Annotated[dict[FieldName, Any], Meta(min_length=1, max_length=6)] | None = None
    """By field of the vault. Compared, and neither kept nor told."""
    declaration: bool = False
    """They declared under penalty of perjury that they are the person, where the law wants that."""

    def answer(self) -> Answer:
        return Answer(code=self.code, said=self.said, declaration=self.declaration)
