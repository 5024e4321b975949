"""Paging by cursor: opaque to clients, and stable while rows are added."""

import base64
import binascii
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from litestar import Request, Response
from litestar.params import QueryParameter

from service.kernel import exactly
from service.web.faults import Fault
from service.web.problems import Refusal

T = TypeVar("T")

DEFAULT: Final = 100
MOST: Final = 500

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="How many to return.")]
Cursor = Annotated[
    str | None,
    QueryParameter(
        pattern=exactly("[A-Za-z0-9_-]{1,512}").pattern,
        description="Where to go on: from the `Link` of the page before.",
    ),
]


def cursor_after(position: Any) -> str:
    """Return the cursor that continues after `position`, anything msgspec can write as JSON."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode()


def position_in(cursor: str | None, model: type[T]) -> T | None:
    """Return the position that `cursor` names, or ``None`` for the first page.

    Raises:
        Refusal: 409; it looks like a cursor but leads nowhere. Nothing depends on a cursor
            being honest: it only says where to go on, among rows the caller may see.
    """
    if cursor is None:
        return None
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if b"\\u0000" in data:
            raise ValueError("no row is named by what PostgreSQL can't store")
        return msgspec.json.decode(data, type=model)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        fault = Fault(parameter="cursor", detail="Not a cursor of this list")
        raise Refusal("unknown_cursor", faults=(fault,)) from None


def page(request: Request[Any, Any, Any], content: T, after: Any | None) -> Response[T]:
    """Answer with one page; `after` is the position of its last row if more may follow."""
    if after is None:
        return Response(content)
    query = [(name, value) for name, value in parse_qsl(request.scope["query_string"].decode()) if name != "cursor"]
    query.append(("cursor", cursor_after(after)))
    return Response(content, headers={"link": f'<{quote(request.scope["path"])}?{urlencode(query)}>; rel="next"'})
