"""An OPA server of our own, for a check from the command line: found, started on a socket of this machine, ended."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from service.kernel import Unavailable

BUILT = Path(__file__).parents[1] / "tools" / "bin" / "opa"
PATIENCE = 15.0  # seconds


def find() -> Path:
    """Return the OPA program: `OPA` in the environment, the one `make test` builds, or the one on the PATH.

    Raises:
        Unavailable: there is none.
    """
    named = os.environ.get("OPA")
    if named or BUILT.exists():
        return Path(named) if named else BUILT
    if found := shutil.which("opa"):
        return Path(found)
    raise Unavailable("no OPA program: set OPA=/path/to/opa, or `make tools/bin/opa`, or VOLENS_OPA_URL to a server")


@contextmanager
def opa_server(bundle: Path) -> Iterator[str]:
    """Run OPA with `bundle` on a free port of this machine; yield its address.

    Raises:
        Unavailable: it can't be started.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(find()), "run", "--server", f"--addr=127.0.0.1:{port}", "--log-level=error", "--bundle", str(bundle)]
    with subprocess.Popen([*command, "--disable-telemetry"], stderr=subprocess.DEVNULL) as server:  # noqa: S603
        try:
            _wait(server, f"{url}/health?bundles=true")
            yield url
        finally:
            server.terminate()


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    for _ in range(int(PATIENCE / 0.05)):
        if server.poll() is not None:
            break
        try:
            with urlopen(address, timeout=1):  # noqa: S310 -- our own server
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise Unavailable("OPA does not start with our bundle")
