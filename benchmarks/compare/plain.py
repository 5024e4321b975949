"""What a team would write in a day instead: Litestar, SQLAlchemy's ORM, one query, a JSON answer.

It knows no law and no hours, keeps no log, has no tenants and lets everybody ask.

    python -m benchmarks.compare.plain PORT DATABASE_URL
"""

import sys
from typing import Annotated

import msgspec
import uvicorn
from litestar import Litestar, post
from litestar.params import Body
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Consent(Base):
    __tablename__ = "consent"

    subject: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    given: Mapped[bool]


class Question(msgspec.Struct):
    subject: str
    channel: str
    purpose: str


def service(url: str) -> Litestar:
    session = async_sessionmaker(create_async_engine(url, pool_size=10))

    @post("/check", status_code=200)
    async def check(data: Annotated[Question, Body()]) -> dict[str, str]:
        wanted = select(Consent).where(
            Consent.subject == data.subject, Consent.channel == data.channel, Consent.purpose == data.purpose
        )
        async with session() as opened:
            found = await opened.scalar(wanted)
        return {"decision": "permit" if found is not None and found.given else "deny"}

    return Litestar([check])


if __name__ == "__main__":
    uvicorn.run(service(sys.argv[2]), port=int(sys.argv[1]), log_level="warning", access_log=False)
