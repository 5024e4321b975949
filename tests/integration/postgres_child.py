"""Supervises an embedded PostgreSQL, as a process of its own that a test may kill: ``postgres_child.py DATA``.

Says ``ready`` and waits. Stops the server at a line ``stop``, and ends without stopping it when its input ends.
"""

import sys
from pathlib import Path

from service.kernel import DomainError
from service.postgres import EmbeddedPostgres

if __name__ == "__main__":
    server = EmbeddedPostgres(Path(sys.argv[1]))
    try:
        server.start()
    except DomainError as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.readline() == "stop\n":
        server.stop()
