"""Downloads of DROP for tests, made as the state describes them, by other means than ours."""

import hashlib
import io
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence

BROKER = "4821"
DAY = "20261120"


def base64(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


def composite(*parts: str) -> str:
    return base64("".join(map(base64, parts)))


def item(number: int) -> str:
    """Return the id of a work item: 12 characters."""
    return f"{number:012d}"


def download(
    lists: Mapping[str, Sequence[tuple[str, str]]],
    removed: Sequence[tuple[str, str, str]] = (),
    *,
    day: str = DAY,
    broker: str = BROKER,
) -> io.BytesIO:
    """Return a ZIP of lists, each of ids and hashes."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as file:
        for name, lines in lists.items():
            body = "".join(f"{each},{hashed}\r\n" for each, hashed in lines)
            file.writestr(f"{day}_{broker}_{name}.csv", f"ID,Hash\r\n{body}")
        if removed:
            body = "".join(f"{each},{hashed},{name}\r\n" for each, hashed, name in removed)
            file.writestr(f"{day}_{broker}_Removed.csv", f"ID,Hash,ListType\r\n{body}")
    into.seek(0)
    return into
