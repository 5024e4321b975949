"""Traces for operators, if they want them: OpenTelemetry over HTTP."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

Application = Callable[..., Any]


def trace(app: Application, endpoint: str | None) -> Application:
    """Return `app`, with a span for each request if an OTLP `endpoint` is set.

    Spans carry method, route template, status and request id: the ready-made
    instrumentation writes whole URLs.

    Raises:
        ImportError: an endpoint is set, but the extra `otel` is not installed.
    """
    if endpoint is None:
        return app
    from opentelemetry import propagate  # the extra may be missing
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind

    provider = TracerProvider(resource=Resource.create({"service.name": "volens"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    tracer = provider.get_tracer("volens")

    async def traced(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status = 0

        async def answer(message: Mapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with tracer.start_as_current_span(
            "request",
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            await app(scope, receive, answer)
            route = scope.get("path_template") or "none"
            span.update_name(f"{scope['method']} {route}")
            span.set_attribute("http.request.method", scope["method"])
            span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", status)
            span.set_attribute("volens.request", scope["state"]["request_id"])

    return traced
