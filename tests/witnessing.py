"""Witnesses to be asked: the one of tools/tlogcheck, on the code of Go, and one that answers as a test says."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

from aiohttp import web

from service.audit.notes import Key
from service.audit.quorum import Policy, Witness
from service.audit.signing import Signer, cosign, verifier_key
from tests.absent import lacking

PROGRAM = Path(os.environ.get("TLOGCHECK", Path(__file__).parents[1] / "tools/bin/tlogcheck"))
SEED = "07" * 32


@contextmanager
def go_witness(*logs: str, name: str = "witness.example/go", seed: str = SEED) -> Iterator[Witness]:
    """Lend a witness of the logs with these verifier keys."""
    if not PROGRAM.exists():
        lacking("make tlogcheck builds it with Go")
    with subprocess.Popen([PROGRAM, "witness", name, seed, *logs], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url, key = process.stdout.readline().strip(), process.stdout.readline().strip()
            yield Witness("go", Key.parse(key), url)
        finally:
            process.kill()


Answers = Callable[[str], Awaitable[web.Response] | web.Response]
"""Answers the text of a request."""


@asynccontextmanager
async def answering(answers: Answers, path: str = "/add-checkpoint") -> AsyncIterator[str]:
    """Lend the address of one who answers so."""

    async def handle(request: web.Request) -> web.Response:
        answer = answers((await request.read()).decode("latin-1"))
        return await answer if asyncio.iscoroutine(answer) else answer

    application = web.Application()
    application.router.add_post(path, handle)
    runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        [(host, port)] = [address[:2] for address in runner.addresses]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def cosignature(request: str, witness: Signer, at: datetime) -> str:
    """Return the line by which a witness who believes everything answers a request."""
    note = request.encode("latin-1").decode().partition("\n\n")[2]
    return cosign(note, witness, int(at.timestamp()))[len(note) :]


def policy_text(*witnesses: Witness, quorum: str = "all") -> str:
    """Return a policy of these witnesses, as a file holds it."""
    lines = [f"witness {each.name} {verifier_key(each.key)} {each.url or ''}" for each in witnesses]
    group = f"group them {quorum} {' '.join(each.name for each in witnesses)}"
    return "\n".join(["# whom we ask", *lines, group, "quorum them", ""])


def policy_of(*witnesses: Witness, quorum: str = "all") -> Policy:
    return Policy.parse(policy_text(*witnesses, quorum=quorum))
