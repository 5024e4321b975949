"""The reference, 1.00 by definition: a Litestar `async` GET that returns a small JSON dict."""

import sys

import uvicorn
from litestar import Litestar, get


@get("/")
async def hello() -> dict[str, str]:
    return {"decision": "permit", "basis": "consent"}


if __name__ == "__main__":
    uvicorn.run(Litestar([hello]), port=int(sys.argv[1]), log_level="warning", access_log=False)
