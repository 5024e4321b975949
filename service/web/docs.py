"""`/openapi.json` and `/docs`: the contract for machines and for people.

The page is written here rather than by a script from elsewhere: it works without internet
and needs no exception in the content security policy but its own style sheet.
"""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.enums import MediaType

from service.web.auth import PUBLIC
from service.web.openapi import document

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2330;background:#fff}
h2{margin-top:2.5rem}details{border:1px solid #d5dae3;border-radius:6px;margin:.5rem 0;padding:.5rem .8rem}
summary{cursor:pointer}code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#f4f6f9;padding:.6rem;overflow:auto}
b.m{display:inline-block;min-width:3.6rem}table{border-collapse:collapse}
td,th{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6e9ef;background:#14181f}pre{background:#1d232d}details{border-color:#3a4352}a{color:#9ecbff}}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


def docs() -> Router:
    """Return the routes `/openapi.json` and `/docs`. The document is written once, on first use."""
    written: dict[str, bytes] = {}

    def contract(app: Litestar) -> bytes:
        if "json" not in written:
            written["json"] = document(app)
        return written["json"]

    @get("/openapi.json", include_in_schema=False)
    async def machine(request: Request[Any, Any, State]) -> Response[bytes]:
        return Response(contract(request.app), media_type=MediaType.JSON)

    @get("/docs", include_in_schema=False)
    async def people(request: Request[Any, Any, State]) -> Response[bytes]:
        html = page(msgspec.json.decode(contract(request.app))).encode()
        return Response(html, media_type=MediaType.HTML, headers={"content-security-policy": _POLICY})

    return Router("/", route_handlers=[machine, people], opt={PUBLIC: True})


def page(contract: dict[str, Any]) -> str:
    """Return the whole contract as one page without scripts."""
    info = contract["info"]
    return "".join(
        (
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])} API</title>",
            "<meta name=viewport content='width=device-width'>",
            f"<style>{_STYLE}</style><h1>{escape(info['title'])}</h1>",
            f"<p><strong>{escape(info['summary'])}</strong></p><p>{escape(info['description'])}</p>",
            "<p>For machines: <a href=/openapi.json>openapi.json</a></p>",
            *_operations(contract),
            "<h2>Schemas</h2>",
            *(_schema(name, schema) for name, schema in sorted(contract["components"]["schemas"].items())),
        )
    )


def _operations(contract: dict[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in sorted(contract["paths"].items()):
        for method, operation in methods.items():
            by_tag.setdefault(operation.get("tags", ["Other"])[0], []).append(_operation(path, method, operation))
    for tag, operations in sorted(by_tag.items()):
        yield f"<h2>{escape(tag)}</h2>"
        yield from operations


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    scopes = " or ".join(" ".join(way["bearer"]) for way in operation["security"]) or "no token"
    body = operation.get("requestBody", {}).get("content", {})
    parts = [
        f"<details id={escape(operation['operationId'])}><summary><b class=m>{method.upper()}</b> ",
        f"<code>{escape(path)}</code> {escape(operation.get('summary', ''))}</summary>",
        f"<p>{escape(operation.get('description', ''))}</p><p>Scope: <code>{escape(scopes)}</code></p><table>",
    ]
    for parameter in operation.get("parameters", []):
        rule = escape(_compact(parameter["schema"]))
        parts.append(f"<tr><th><code>{escape(parameter['name'])}</code><td>{parameter['in']}<td><code>{rule}</code>")
    parts += [f"<tr><th>body<td>{escape(kind)}<td>{_link(part['schema'])}" for kind, part in body.items()]
    for status, answer in sorted(operation["responses"].items()):
        links = " ".join(_link(part["schema"]) for part in answer.get("content", {}).values() if "schema" in part)
        parts.append(f"<tr><th>{escape(status)}<td>{escape(answer['description'])}<td>{links}")
    return "".join((*parts, "</table></details>"))


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    about = escape(schema.get("description", ""))
    title = f"<summary><code>{escape(name)}</code> {about.partition(chr(10))[0]}</summary>"
    return f"<details id='schema-{escape(name)}'>{title}<pre>{escape(text)}</pre></details>"


def _link(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref", "").rpartition("/")[2]
    if reference:
        return f"<a href='#schema-{escape(reference)}'><code>{escape(reference)}</code></a>"
    return f"<code>{escape(_compact(schema))}</code>"


def _compact(schema: dict[str, Any]) -> str:
    return msgspec.json.encode(schema).decode()
