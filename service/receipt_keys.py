"""The keys by which receipts are signed, in the processes that serve.

They are a file of their own, because those processes shall not be able to sign checkpoints. A key counts once its
public half is in the database, where it stays for ever. A serving process can only state the first one there, and
that is all that the database lets it: from then on a lost file, another file or a stolen password end in receipts
that are refused, never in receipts under a key that nobody has reason to believe. Further keys are an operator's to
add (`volens audit rotate-key --receipts`). A file needs the newest key that counts; earlier ones may be lost: what they
signed is verified by their public halves.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from service.audit.log_keys import RECEIPTS_FILE, LogKeys
from service.audit.signing import Signer
from service.audit.tree_ports import KeyPurpose
from service.kernel import Unavailable
from service.own_files import FileExposed, FileUnusable
from service.settings import Settings
from service.tenants import NOBODY
from service.transaction import Begin


class ReceiptKeys:
    """Signs with the newest key of a file that counts. The file is read when it is first needed, until it is good."""

    def __init__(self, place: Path, begin: Begin, lost: Callable[[BaseException], None]) -> None:
        """`lost` is told why there is no key to sign with."""
        self._place = place
        self._begin = begin
        self._lost = lost
        self._keys: LogKeys | None = None
        self._opening = asyncio.Lock()

    async def __call__(self, name: str) -> Signer:
        """Return the key to sign with, under a name.

        Raises:
            Unavailable: the file lacks the newest key that counts, or can't be read.
        """
        async with self._opening:
            if self._keys is None:
                self._keys = await self._opened()
        return self._keys.signer(name)

    async def _opened(self) -> LogKeys:
        try:
            used = await self._used()
            keys = await asyncio.to_thread(LogKeys.open, self._place, make=not used)
            if not used:
                async with self._begin(NOBODY) as tx:
                    await tx.log_keys.state_first_of_receipts(keys.public[-1])
                used = await self._used()
            if not used or used[-1] not in keys.public:
                raise FileUnusable(f"{self._place.name} lacks the newest key of receipts")
            return keys.among(used)
        except (FileExposed, FileUnusable, OSError) as error:
            self._lost(error)
            raise Unavailable("receipts can't be signed now") from error

    async def _used(self) -> Sequence[bytes]:
        async with self._begin(NOBODY) as tx:
            return [key.public for key in await tx.log_keys.public() if key.purpose is KeyPurpose.RECEIPTS]


def receipt_keys_file(settings: Settings) -> Path:
    return settings.data / RECEIPTS_FILE if settings.receipt_keys_path is None else Path(settings.receipt_keys_path)
