"""What the service says about itself: the contract for machines and for people, a page for each problem, and `/`.

Pages are written here rather than by a script from elsewhere: they work without internet
and need no exception in the content security policy but their own style sheet.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.enums import MediaType
from litestar.params import FromPath

from service.web.auth import PUBLIC
from service.web.openapi import NO_NUL, document
from service.web.problems import Refusal

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
_PROBLEMS: Final = Path(__file__).parents[2] / "openapi" / "problems"
_HOME: Final = """
<h1>Volens</h1><p><b>May we contact this person, on this channel, for this purpose, now?</b></p>
<p><a href=/docs>/docs</a> shows every operation, <a href=/openapi.json>/openapi.json</a> says it to machines,
<a href=/health/ready>/health/ready</a> whether everything is there.</p>
"""


def docs() -> Router:
    """Return the routes `/`, `/openapi.json`, `/docs` and `/problems/{code}`.

    The document is written once, on first use. The type of a problem ends with its code: its page says what to do.
    """
    written: dict[str, bytes] = {}
    problems = {file.stem: file.read_text("utf-8") for file in sorted(_PROBLEMS.glob("*.md"))}

    def contract(app: Litestar) -> bytes:
        if "json" not in written:
            written["json"] = document(app)
        return written["json"]

    @get("/openapi.json", include_in_schema=False)
    async def machine(request: Request[Any, Any, State]) -> Response[bytes]:
        return Response(contract(request.app), media_type=MediaType.JSON)

    @get("/docs", include_in_schema=False)
    async def people(request: Request[Any, Any, State]) -> Response[bytes]:
        return _answer(page(msgspec.json.decode(contract(request.app)), problems))

    @get("/problems/{code:str}", include_in_schema=False)
    async def problem(code: FromPath[str]) -> Response[bytes]:
        if code not in problems:
            raise Refusal("not_found")
        return _answer(_framed(problems[code].partition("\n")[0].removeprefix("# "), _text(problems[code])))

    @get("/", include_in_schema=False)
    async def home() -> Response[bytes]:
        return _answer(_framed("Volens", _HOME))

    return Router("/", route_handlers=[machine, people, problem, home], opt={PUBLIC: True})


def page(contract: dict[str, Any], problems: Iterable[str] = ()) -> str:
    """Return the whole contract as one page without scripts, with links to the pages of `problems`."""
    info = contract["info"]
    return _framed(
        f"{info['title']} API",
        f"<h1>{escape(info['title'])}</h1><p><strong>{escape(info['summary'])}</strong></p>",
        _text(info["description"]),
        "<p>For machines: <a href=/openapi.json>openapi.json</a></p>",
        *_operations(contract),
        "<h2>Problems</h2>",
        *(f"<p><a href='/problems/{escape(code)}'><code>{escape(code)}</code></a></p>" for code in problems),
        "<h2>Schemas</h2>",
        *(_schema(name, schema) for name, schema in sorted(contract["components"]["schemas"].items())),
    )


def _answer(html: str) -> Response[bytes]:
    return Response(html.encode(), media_type=MediaType.HTML, headers={"content-security-policy": _POLICY})


def _framed(title: str, *parts: str) -> str:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
    return "".join((head, "<meta name=viewport content='width=device-width'>", f"<style>{_STYLE}</style>", *parts))


def _text(markdown: str) -> str:
    """Return paragraphs and headings with the little markup that our texts use."""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return "".join(
        f"<h1>{_words(block[2:])}</h1>" if block.startswith("# ") else f"<p>{_words(block)}</p>" for block in blocks
    )


def _words(text: str) -> str:
    """Return `text` quoted for HTML, its code and bold words set as such."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", html)


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
        f"<code>{escape(path)}</code> {_words(operation.get('summary', ''))}</summary>",
        f"{_text(operation.get('description', ''))}<p>Scope: <code>{escape(scopes)}</code></p><table>",
    ]
    for parameter in operation.get("parameters", []):
        about = f"{_words(parameter.get('description', ''))} {_rule(parameter['schema'])}"
        parts.append(f"<tr><th><code>{escape(parameter['name'])}</code><td>{parameter['in']}<td>{about}")
    parts += [f"<tr><th>body<td>{escape(kind)}<td>{_rule(part['schema'])}" for kind, part in body.items()]
    for status, answer in sorted(operation["responses"].items()):
        links = " ".join(_rule(part["schema"]) for part in answer.get("content", {}).values() if "schema" in part)
        parts.append(f"<tr><th>{escape(status)}<td>{_words(answer['description'])}<td>{links}")
    return "".join((*parts, "</table></details>"))


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    about = _words(schema.get("description", "").partition("\n")[0])
    title = f"<summary><code>{escape(name)}</code> {about}</summary>"
    return f"<details id='schema-{escape(name)}'>{title}<pre>{escape(text)}</pre></details>"


def _rule(schema: dict[str, Any]) -> str:
    """Say in words what a schema allows; one with a name is linked."""
    if reference := schema.get("$ref", "").rpartition("/")[2]:
        return f"<a href='#schema-{escape(reference)}'><code>{escape(reference)}</code></a>"
    words = [escape(schema.get("format", schema.get("type", "anything")))]
    if "minimum" in schema:
        words.append(f"from {schema['minimum']}")
    if "maximum" in schema:
        words.append(f"to {schema['maximum']}")
    if schema.get("pattern", NO_NUL) != NO_NUL:
        words.append(f"like <code>{escape(schema['pattern'])}</code>")
    if "default" in schema:
        words.append(f"(<code>{escape(msgspec.json.encode(schema['default']).decode())}</code> unless said)")
    return " ".join(words)
