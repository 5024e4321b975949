"""An OPA server of our own, for a check from the command line: found, started, ended."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.request import ProxyHandler, build_opener

from service.kernel import Unavailable

BUILT: Final = Path(__file__).parents[1] / "tools" / "bin" / "opa"
PATIENCE: Final = 15.0  # seconds
_ask = build_opener(ProxyHandler({})).open  # this machine is never behind a proxy


def find() -> Path:
    """Return the OPA program: `OPA` in the environment, the one `make test` builds, or the one on the PATH.

    Raises:
        Unavailable: there is none.
    """
    named = os.environ.get("OPA")
    found = shutil.which(named or BUILT) or (None if named else shutil.which("opa"))
    if found:
        return Path(found)
    if named:
        raise Unavailable(f"OPA={named} in the environment names no program that can be run")
    raise Unavailable("no OPA program: set OPA=/path/to/opa, or `make opa`, or VOLENS_OPA_URL to a server")


@contextmanager
def opa_server(bundle: Path, port: int | None = None) -> Iterator[str]:
    """Run OPA with `bundle` on a port of this machine, any free one by default; yield its address.

    Raises:
        Unavailable: it can't be started.
    """
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}"
    program = str(find())
    command = [program, "run", "--server", f"--addr=127.0.0.1:{port}", "--log-level=error", "--bundle", str(bundle)]
    with subprocess.Popen([*command, "--disable-telemetry"], stderr=subprocess.DEVNULL) as server:
        try:
            if not _answers(server, f"{url}/health?bundles=true"):
                raise Unavailable(f"{program} does not start as an OPA server with our bundle")
            yield url
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(server: subprocess.Popen[bytes], address: str) -> bool:
    for _ in range(int(PATIENCE / 0.05)):
        if server.poll() is not None:
            break
        try:
            with _ask(address, timeout=1):
                return True
        except OSError:
            time.sleep(0.05)
    return False
