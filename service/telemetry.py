"""What operators see: log lines, metrics and traces. Never a payload, a path, a message or a value.

Log lines are JSON objects. Only the members of `FIELDS` can ever be written, whatever a
caller passes; everything else is dropped. Errors are logged by type and place: their
messages may quote what a person sent.
"""

import logging
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import msgspec
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from service.kernel import Clock

Level = Literal["debug", "info", "warning", "error"]

FIELDS: Final = frozenset(
    {
        "at", "level", "event", "logger",
        "request", "method", "route", "status", "ms", "tenant", "actor",
        "error", "place", "cause", "check", "issuer", "revision", "engine", "outcome", "count", "port", "host", "job",
    }
)  # fmt: skip
"""Every member a log line can have."""

_QUOTABLE: Final = frozenset({"uvicorn.error"})
"""Loggers of libraries whose message templates are constants; arguments are dropped, with the words they stand in."""
_OURS: Final = Path(__file__).parent
_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Telemetry:
    """The one place where the service reports about itself."""

    def __init__(self, clock: Clock, *, level: Level = "info", stream: BinaryIO | None = None) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.log = _logger(clock, level, stream or sys.stdout.buffer)
        self.expose: Callable[[], Awaitable[bytes]] = self.metrics
        """What `GET /metrics` shows. One of several processes shows what all of them measure."""
        self._requests = Counter(
            "volens_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "volens_request_seconds", "Time to answer.", ("route", "method"), buckets=_BUCKETS, registry=self.registry
        )
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._in_progress = Gauge("volens_requests_in_progress", "Requests under way.", registry=self.registry)
        self._at_once = Gauge("volens_requests_at_once", "So many may be under way.", registry=self.registry)
        self._overloaded = Counter(
            "volens_requests_overloaded", "Requests refused because too many were under way.", registry=self.registry
        )
        self._bugs = Counter(
            "volens_bugs", "Requests that failed through our fault.", ("error",), registry=self.registry
        )
        self._decisions = Counter("volens_decisions", "Decisions made.", ("outcome", "basis"), registry=self.registry)
        self._decided: dict[tuple[str, str], Counter] = {}
        self._engine = Histogram(
            "volens_engine_seconds",
            "Time of one policy evaluation.",
            ("engine",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._engine_failures = Counter(
            "volens_engine_failures", "Evaluations without a verdict.", ("engine",), registry=self.registry
        )
        self._issuer_failures = Counter(
            "volens_issuer_failures", "Failed attempts to read an issuer's keys.", ("issuer",), registry=self.registry
        )
        self._backlog = Gauge(
            "volens_backlog",
            "Entries without a place in the tree, and events in the outbox, which retention takes away.",
            ("queue",),
            registry=self.registry,
        )
        self._requests_open = Gauge(
            "volens_requests_open", "Requests of people that nobody has answered yet.", registry=self.registry
        )
        self._requests_overdue = Gauge(
            "volens_requests_overdue", "Those of them whose last day is over.", registry=self.registry
        )
        self._codes_not_sent = Counter(
            "volens_codes_not_sent", "Codes that show who somebody is, lost on their way.", ("channel",),
            registry=self.registry,
        )  # fmt: skip
        self._erasures = Gauge(
            "volens_erasures_waiting",
            "Erasures that don't go on: held, waiting for a connected system, stuck.",
            ("why",),
            registry=self.registry,
        )
        self._downstream_attempts = Counter(
            "volens_downstream_attempts",
            "Times that a task was taken to a connected system, by what came of it.",
            ("outcome",),
            registry=self.registry,
        )
        self._door_tellings = Counter(
            "volens_door_tellings",
            "Attempts to tell who sent a request through a door: told, same, or why not.",
            ("outcome",),
            registry=self.registry,
        )
        self._downstream_tasks = Gauge(
            "volens_downstream_tasks",
            "Tasks to which connected systems owe an answer: open, or silent beyond their time.",
            ("state",),
            registry=self.registry,
        )
        self._unindexed = Gauge(
            "volens_batch_chunks_unindexed",
            "Chunks of batches that are looked through when somebody asks about themselves.",
            registry=self.registry,
        )
        self._placed = Counter("volens_audit_placed", "Audit entries in a signed tree.", registry=self.registry)
        self._attested = Counter(
            "volens_audit_attested",
            "Answers of witnesses and time-stamp authorities: signed, silent, refused, fork.",
            ("who", "outcome"),
            registry=self.registry,
        )
        self._expired = Counter(
            "volens_vault_versions_expired",
            "Versions of values removed because their retention had ended.",
            registry=self.registry,
        )
        self._unauthenticated = Counter(
            "volens_authentication_failures", "Tokens refused, by the reason.", ("why",), registry=self.registry
        )
        self._refused: dict[str, Counter] = {}
        self._content = Counter(
            "volens_content_expired",
            "Decisions, records, facts and events removed because their period of retention had ended.",
            ("content",),
            registry=self.registry,
        )
        self._policy = Gauge("volens_policy", "The active policy revision.", ("revision",), registry=self.registry)

    async def metrics(self) -> bytes:
        """Return what this process measures."""
        return generate_latest(self.registry)

    def worker_died(self, code: int | None) -> None:
        """Note that one of several processes that serve has ended by itself. Another takes its place."""
        self.log.error("worker_died", outcome=code)

    def in_progress(self, count: Callable[[], int], limit: int) -> None:
        """Show how many requests are under way, out of how many at most."""
        self._in_progress.set_function(count)
        self._at_once.set(limit)

    def overloaded(self) -> None:
        """Note a request that was refused because too many were under way."""
        self._overloaded.inc()

    def request(self, scope: Mapping[str, Any], status: int, seconds: float) -> None:
        """Note a finished request. `status` 0: the client got no whole answer."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = scope.get("path_template") or "none"
        counted = self._counted.get((route, method, status))
        if counted is None:  # looking labels up by name costs more than counting
            counted = self._requests.labels(route, method, status), self._seconds.labels(route, method)
            self._counted[route, method, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)
        caller = scope.get("user")
        self.log.info(
            "request",
            request=scope["state"]["request_id"],
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            tenant=caller and caller.tenant,
            actor=caller and caller.actor,
        )

    def bug(self, error: BaseException, request_id: str) -> None:
        """Note an error nobody expected, by its type and where it was raised."""
        self._bugs.labels(type(error).__name__).inc()
        self.log.error("bug", request=request_id, **described(error))

    def decided(self, outcome: str, basis: str, count: int = 1) -> None:
        counted = self._decided.get((outcome, basis))
        if counted is None:
            counted = self._decided[outcome, basis] = self._decisions.labels(outcome, basis)
        counted.inc(count)

    def evaluated(self, engine: str, seconds: float) -> None:
        self._engine.labels(engine).observe(seconds)

    def engine_failed(self, engine: str, error: BaseException) -> None:
        self._engine_failures.labels(engine).inc()
        self.log.error("engine_failed", engine=engine, **described(error))

    def issuer_failed(self, issuer: str) -> None:
        self._issuer_failures.labels(issuer).inc()
        self.log.warning("issuer_failed", issuer=issuer)

    def ring_lost(self, fault: str) -> None:
        """Note that the vault opens nothing, or not everything, with the key ring that the settings name."""
        self.log.error("key_ring_lost", cause=fault)

    def receipt_keys_lost(self, error: BaseException) -> None:
        """Note that receipts can't be signed."""
        self.log.error("receipt_keys_lost", **described(error))

    def code_not_sent(self, channel: str, error: BaseException) -> None:
        """Note that a code didn't get to where it was to be sent."""
        self._codes_not_sent.labels(channel).inc()
        self.log.warning("code_not_sent", **described(error))

    def backlog(self, queue: str, waiting: int) -> None:
        """Note how much waits to be told to others, or to be put in order."""
        self._backlog.labels(queue).set(waiting)

    def requests(self, running: int, overdue: int) -> None:
        """Note how many requests of people nobody has answered, and how many of those are overdue."""
        self._requests_open.set(running)
        self._requests_overdue.set(overdue)

    def erasures(self, waiting: Mapping[str, int]) -> None:
        """Note how many erasures don't go on, by what keeps them."""
        for why in ("held", "waiting", "stuck"):
            self._erasures.labels(why).set(waiting.get(why, 0))

    def erasure_stuck(self, tenant: str, why: str) -> None:
        """Note that an erasure of a tenant failed where it was. It is tried again."""
        self.log.error("erasure_stuck", tenant=tenant, cause=why)

    def brought(self, outcome: str) -> None:
        """Note what came of taking a task to a connected system."""
        self._downstream_attempts.labels(outcome).inc()

    def told(self, outcome: str) -> None:
        """Note what came of telling a sender how far a request is."""
        self._door_tellings.labels(outcome).inc()

    def downstream_tasks(self, unanswered: int, silent: int) -> None:
        """Note how many tasks of connected systems wait for an answer, and to how many none came in time."""
        self._downstream_tasks.labels("open").set(unanswered)
        self._downstream_tasks.labels("silent").set(silent)

    def batches_unindexed(self, chunks: int) -> None:
        """Note how many chunks of batches are in no index by person yet."""
        self._unindexed.set(chunks)

    def placed(self, entries: int) -> None:
        """Note audit entries that got their place in a tree."""
        self._placed.inc(entries)

    def log_halted(self, tenant: str, why: str) -> None:
        """Note that nothing more is signed for a tenant until an operator says what happened."""
        self.log.error("log_halted", tenant=tenant, cause=why)

    def attested(self, who: str) -> None:
        """Note that a witness cosigned, or a time-stamp authority stamped, what the log signed."""
        self._attested.labels(who, "signed").inc()

    def not_attested(self, who: str, why: str) -> None:
        """Note that one of them gave no answer that counts. It is asked again."""
        self._attested.labels(who, "silent").inc()
        self.log.warning("log_unattested", host=who, cause=why)

    def log_refused(self, who: str, tenant: str, why: str, *, fork: bool, again: bool) -> None:
        """Note that one of them says no; with `fork`, because it saw another tree. `again`: as it did before."""
        self._attested.labels(who, "fork" if fork else "refused").inc()
        if not again:
            self.log.error("log_forked" if fork else "log_refused", host=who, tenant=tenant, cause=why)

    def versions_expired(self, tenant: str, count: int) -> None:
        """Note that so many versions of values of a tenant were past their retention, and are gone."""
        self._expired.inc(count)
        self.log.info("versions_expired", tenant=tenant, count=count)

    def authentication_failed(self, why: str) -> None:
        """Note a refused token, whoever's it is."""
        counted = self._refused.get(why)
        if counted is None:
            counted = self._refused[why] = self._unauthenticated.labels(why)
        counted.inc()

    def content_expired(self, tenant: str, content: str, count: int) -> None:
        """Note that so much content of a kind was past its period, and is gone."""
        self._content.labels(content).inc(count)
        self.log.info("content_expired", tenant=tenant, job=content, count=count)

    def policy(self, revision: str) -> None:
        """Note the policy revision that answers from now on."""
        self._policy.clear()
        self._policy.labels(revision).set(1)
        self.log.info("policy", revision=revision)

    def adopt_library_loggers(self) -> None:
        """Send what libraries log through `log`, without their arguments, messages and tracebacks."""
        root = logging.getLogger()
        root.handlers[:] = [_Adopted(self.log)]
        root.setLevel(logging.WARNING)
        for name in ("uvicorn", "uvicorn.error"):
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).propagate = True
            logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger("uvicorn.access").handlers.clear()
        logging.getLogger("uvicorn.access").disabled = True
        logging.captureWarnings(capture=True)


def described(error: BaseException) -> dict[str, str]:
    """Return type, place in our code and the types of the causes of an error; never its message."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_OURS)]
    last = (ours or list(frames))[-1:]
    facts = {"error": type(error).__name__}
    if last:
        facts["place"] = f"{_short(last[0].filename)}:{last[0].lineno}"
    cause = error.__cause__ or error.__context__
    if cause is not None:
        facts["cause"] = type(cause).__name__
    return facts


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_OURS.parent)) if path.is_relative_to(_OURS.parent) else path.name


class _Adopted(logging.Handler):
    """Writes a record of a library without anything it was formatted with."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        words = str(record.msg).split() if record.name in _QUOTABLE else ["library"]
        event = " ".join(word for word in words if "%" not in word)
        facts = {"place": f"{Path(record.pathname).name}:{record.lineno}"}
        if record.exc_info and record.exc_info[1]:
            facts |= described(record.exc_info[1])
        self._log.log(record.levelno, event, logger=record.name, **facts)


def _logger(clock: Clock, level: Level, stream: BinaryIO) -> structlog.typing.FilteringBoundLogger:
    def stamp(_: Any, method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
        """Put time and level first, and drop what is not in `FIELDS`."""
        allowed = {name: value for name, value in line.items() if name in FIELDS and value is not None}
        return {"at": None, "level": None} | allowed | {"at": clock(), "level": method}

    log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.BytesLogger(stream),
        processors=[stamp, _rendered],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    return log


def _rendered(_: Any, __: str, line: MutableMapping[str, Any]) -> bytes:
    return msgspec.json.encode(line, enc_hook=lambda value: type(value).__name__)
