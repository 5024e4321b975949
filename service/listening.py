"""The socket on which a process listens, and the line that says where."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from service.kernel import DomainError
from service.settings import Settings


class PortTaken(DomainError):
    """The address can't be listened on."""

    code = "port_taken"


def listen(settings: Settings) -> AbstractContextManager[socket.socket]:
    other = "choose another with --host and --port, or VOLENS_HOST and VOLENS_PORT: VOLENS_PORT=8081 make run"
    return bound(settings.host, settings.port, other)


@contextmanager
def bound(host: str, port: int, other: str) -> Iterator[socket.socket]:
    """Bind first: a port that is taken must not cost a database start.

    Raises:
        PortTaken: by another program, or it is none of this machine's. `other` says how to choose another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # a long answer is several writes: without this each could cost a delayed acknowledgement, 40 ms
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((host, port))
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "no name of a host"
            raise PortTaken(f"can't listen on {host}:{port} ({why}); {other}") from None
        yield listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(url: str) -> None:
    print(f"ready {url}", flush=True)  # noqa: T201 -- the line that scripts wait for
