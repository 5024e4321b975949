"""A process that forgets one person, to be killed while it does."""

import asyncio
from datetime import timedelta
from pathlib import Path

from service import db
from service.given import new_id, utc_now
from service.kernel import Caller, Handle
from service.transaction import opener
from service.vault import Forget
from service.vault.envelope import unseal
from service.vault.keys import Keys
from service.vault.ring_file import FileRing


def forget(url: str, place: Path, handle: Handle, by: Caller) -> None:
    asyncio.run(_forget(url, place, handle, by))


async def _forget(url: str, place: Path, handle: Handle, by: Caller) -> None:
    begin = opener(db.engine(url), utc_now, new_id)
    keys = Keys(FileRing.open(place), begin, utc_now, keep=timedelta(hours=1))
    await Forget(begin, keys, unseal, utc_now)(handle, by=by)
