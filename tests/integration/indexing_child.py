"""A process that indexes chunks and stops around each commit, so that it can be killed there."""

from multiprocessing.connection import Connection

import psycopg

from service.kernel import TenantId

ENOUGH, MANY, MOST = 1, 1, 4


def index_chunks(url: str, _: TenantId, pipe: Connection) -> None:
    with psycopg.connect(url) as connection:
        sessions = {connection.info.backend_pid}
        indexed = 1
        while indexed:
            [[indexed, _]] = connection.execute("SELECT * FROM index_batches(%s, %s, %s)", (ENOUGH, MANY, MOST))
            for where, step in (("before a commit", connection.commit), ("after a commit", None)):
                pipe.send((where, sessions))
                pipe.recv()
                if step is not None:
                    step()
    pipe.send(("done", ()))
