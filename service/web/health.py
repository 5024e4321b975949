"""For orchestrators and monitoring: alive, ready, measured. No token, and no detail for strangers."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from litestar import Controller, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from service.web.auth import PUBLIC
from service.web.problems import problem_response

LIMIT: Final = 2.0
"""Seconds for all checks together: who asks has a limit too, and takes silence for worse than a no."""

Check = Callable[[], Awaitable[bool]]
"""Returns whether a part is ready. Raising means no, and so does taking too long."""

Metrics = Callable[[], Awaitable[bytes]]
"""Returns what is measured, in the text format of Prometheus."""


class Liveness(Struct, frozen=True, kw_only=True):
    alive: bool


class Readiness(Struct, frozen=True, kw_only=True):
    ready: bool
    checks: dict[str, bool]
    """Each part, and whether it is there. `policy`: the active revision answers a question."""
    degraded: list[str]
    """Parts that are not as they should be, though requests are answered all the same: see the runbooks."""
    policy_revision: str
    """The law that answers, for whoever rolls a new one out."""


_READY = {500: problem_response(500), 503: ResponseSpec(Readiness, generate_examples=False, description="Not ready")}


_METRICS = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # Litestar appends it


def health(
    checks: Mapping[str, Check],
    metrics: Metrics,
    revision: Callable[[], str],
    *,
    tolerated: Collection[str] = (),
) -> Router:
    """Return the routes `/health/live`, `/health/ready` and `/metrics`. `revision` is asked after the checks.

    Of the checks, those that are `tolerated` are told of, and take nobody's requests away.
    """

    class HealthController(Controller):
        """Tell orchestrators whether to restart this process or to send it requests."""

        path = "/health"
        tags = ("Operation",)

        @get("/live", operation_id="getLiveness", responses={500: problem_response(500)})
        async def live(self) -> Liveness:
            """Say that the process answers. A process that doesn't should be restarted."""
            return Liveness(alive=True)

        @get("/ready", operation_id="getReadiness", responses=_READY)
        async def ready(self) -> Response[Readiness]:
            """Say whether every part is there that requests need: 200, or 503 with the parts that are missing.

            A part in `degraded` is not as it should be, and keeps nobody from being answered.
            """
            passed = dict(zip(checks, await asyncio.gather(*map(_passes, checks.values())), strict=True))
            missing = [part for part, there in passed.items() if not there]
            answer = Readiness(
                ready=all(part in tolerated for part in missing),
                checks=passed,
                degraded=[part for part in missing if part in tolerated],
                policy_revision=revision(),
            )
            return Response(answer, status_code=200 if answer.ready else 503)

    return Router("/", route_handlers=[HealthController, measured(metrics)], opt={PUBLIC: True})


def measured(metrics: Metrics) -> HTTPRouteHandler:
    """Return the route `/metrics`."""

    @get("/metrics", include_in_schema=False)
    async def show() -> Response[bytes]:
        return Response(await metrics(), media_type=_METRICS)

    return show


async def _passes(check: Check) -> bool:
    try:
        return await asyncio.wait_for(check(), LIMIT)
    except Exception:  # noqa: BLE001  whatever is wrong with a part: it is not ready
        return False
