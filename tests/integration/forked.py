"""Where the processes come from that tests kill: a server that has loaded what they need, and forks.

There is one in each process of the suite, and it loads what was named last: so all of it is named here.
"""

from multiprocessing import get_context
from pathlib import Path
from typing import Final

FORK: Final = get_context("forkserver")
FORK.set_forkserver_preload(
    [f"tests.integration.{path.stem}" for path in sorted(Path(__file__).parent.glob("*_child.py"))]
)
