"""What one turn of the event loop writes leaves together, whole and in order."""

import asyncio

from service.web.protocol import JoinedWrites


class Wire:
    """A transport that remembers what was written at once."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.packets.append(data)

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str) -> str:
        return name


async def test_head_and_body_are_one_packet_and_turns_are_not_joined():
    wire = Wire()
    transport = JoinedWrites(wire)

    transport.write(b"head")
    transport.write(b" body")
    assert wire.packets == []
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)

    assert wire.packets == [b"head body", b"next"]


async def test_what_is_held_leaves_before_the_connection_closes():
    wire = Wire()
    transport = JoinedWrites(wire)

    transport.write(b"last words")
    transport.close()
    await asyncio.sleep(0)

    assert (wire.packets, wire.closed) == ([b"last words"], True)


async def test_everything_else_is_the_transports_own():
    assert JoinedWrites(Wire()).get_extra_info("peername") == "peername"
