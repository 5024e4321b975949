"""How witnesses and time-stamp authorities are asked: one POST, within a time and a length."""

from typing import Final

import aiohttp

from service.audit.attesting_ports import Answer, Post, Silent

LIMIT: Final = 10.0
"""Seconds for a whole answer."""
_LARGEST: Final = 64 * 1024


def poster(session: aiohttp.ClientSession) -> Post:
    """Return what posts by `session`. It follows no redirect: whoever was named is asked, and nobody else."""

    async def post(url: str, media_type: str, body: bytes) -> Answer:
        try:
            async with session.post(
                url,
                data=body,
                headers={"content-type": media_type},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=LIMIT),
            ) as answer:
                content = bytearray()
                async for chunk in answer.content.iter_chunked(4096):
                    content += chunk
                    if len(content) > _LARGEST:
                        raise Silent("its answer is too long")
                return Answer(answer.status, bytes(content))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Silent(type(error).__name__) from None

    return post
