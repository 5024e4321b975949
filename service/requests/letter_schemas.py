from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from service.requests.letters import TEXT, About, Read, Written
from service.vault import Letter

MediaType = Literal["text/plain", "application/pdf", "image/jpeg", "image/png"]


class LetterCreate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text, or a file, under an id of the sender's own."""

    id: UUID
    about: About = About.MESSAGE
    text: Annotated[str, Meta(min_length=1, max_length=20_000)] | None = None
    media_type: MediaType | None = None
    """Of a file. A text has none."""
    content: Annotated[bytes, Meta(min_length=1)] | None = None
    """Of a file, in base64; 1 MiB at most."""

    def letter(self) -> Letter | None:
        """Return what is sent; nothing, if it is neither a text nor a file, or both."""
        if self.text is not None:
            both = self.content is not None or self.media_type is not None
            return None if both else Letter(media_type=TEXT, content=self.text.encode())
        if self.content is None or self.media_type is None:
            return None
        return Letter(media_type=self.media_type, content=self.content)


class LetterView(Struct, frozen=True, kw_only=True):
    """That something was written."""

    id: UUID
    about: About
    own: bool
    """Whether the person wrote it."""
    media_type: str
    size: int
    at: datetime

    @classmethod
    def of(cls, written: Written) -> "LetterView":
        return cls(
            id=written.id,
            about=written.about,
            own=written.own,
            media_type=written.media_type,
            size=written.size,
            at=written.at,
        )


class Letters(Struct, frozen=True, kw_only=True):
    """What was written about a request, oldest first."""

    letters: list[LetterView]


class OpenLetter(Struct, frozen=True, kw_only=True):
    """What a letter says."""

    id: UUID
    about: About
    own: bool
    at: datetime
    media_type: str
    text: str | None
    content: bytes | None
    """Of a file, in base64."""

    @classmethod
    def of(cls, read: Read) -> "OpenLetter":
        written, letter = read.written, read.letter
        is_text = letter.media_type == TEXT
        text = letter.content.decode(errors="replace") if is_text else None
        return cls(
            id=written.id,
            about=written.about,
            own=written.own,
            at=written.at,
            media_type=letter.media_type,
            text=text,
            content=None if is_text else letter.content,
        )
