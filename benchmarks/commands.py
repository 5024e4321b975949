"""How long a command of `volens` takes, and how much memory."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.site import VOLENS


class Took(Struct, frozen=True):
    seconds: float
    processor: float
    """Seconds of the command's own, without those of PostgreSQL. What else runs on the machine doesn't count."""
    memory: float
    """MiB at most."""
    size: int
    """Bytes of the file that it wrote."""


def timed(said: Sequence[str], env: dict[str, str], out: Path) -> Took:
    """Run a command that writes the file `out`."""
    began = time.monotonic()
    running = subprocess.Popen([*VOLENS, *said], env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - began
    if running.returncode:
        raise SystemExit(f"the command ended with {running.returncode}")
    return Took(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out.stat().st_size)
