"""The state's platform, as its API document 1.2.0 describes it, to be asked by tests.

It knows one key, prepares a download before it gives it, gives no other before every work item of it was answered, and
looks at names, header and lines of answers. What it doesn't do: look at lines later, by itself, as the platform may;
limit how often it is asked, but where a test says so; webhooks.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from tests.dropped import BROKER

KEY = "a-key-of-the-platform"
_NAME = re.compile(rf"[0-9]{{8}}_{BROKER}_(NDZ|Email|Phone|MAID|NameVIN|CTVID)(_[0-9A-Za-z]{{1,10}})?\.csv")
_LINE = re.compile(r"[0-9A-Za-z]{12},[2-5]")


class Platform:
    """What the platform has for one broker, and what it was told."""

    def __init__(self) -> None:
        self.batches: list[tuple[bytes, set[str]]] = []
        """Downloads that wait, each with the ids of its work items."""
        self.open: set[str] | None = None
        """Work items of the last download that aren't answered yet."""
        self.told: dict[str, str] = {}
        self.amended: dict[str, str] = {}
        self.files: list[str] = []
        self.first: list[tuple[int, dict[str, str]]] = []
        """What the next calls are answered, whatever they ask."""
        self.prepared = False
        self.url = ""

    def download(self) -> tuple[int, dict[str, str], bytes]:
        if self.open:
            return 409, {}, _said("Complete the current batch or contact DROP support if a re-download is needed.")
        if not self.batches:
            return 200, {}, _said("No new consumer request data or removed identifiers are available.")
        if not self.prepared:
            self.prepared = True
            return 202, {"Retry-After": "1"}, _said("The package is being created.")
        content, self.open = self.batches.pop(0)
        self.prepared = False
        return 200, {"Content-Type": "application/zip"}, content

    def upload(self, body: bytes, content_type: str, *, amend: bool) -> tuple[int, dict[str, str], bytes]:
        if not amend and self.open is None:
            return 409, {}, _said("No active download is waiting for responses.")
        accepted, rejected = [], []
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        for part in message.iter_parts():
            name, lines = part.get_filename(), part.get_payload(decode=True).decode().splitlines()
            known = part.get_param("name", header="content-disposition") == "files" and name not in self.files
            if known and _NAME.fullmatch(name) and lines[0] == "Id,Status" and all(map(_LINE.fullmatch, lines[1:])):
                answers = dict(line.split(",") for line in lines[1:])
                (self.amended if amend else self.told).update(answers)
                self.open = (self.open or set()) - (set() if amend else answers.keys())
                self.files.append(name)
                accepted.append(name)
            else:
                rejected.append({"fileName": name, "message": "the file is not valid"})
        said = {
            "message": "",
            "acceptedCount": len(accepted),
            "rejectedCount": len(rejected),
            "accepted": [{"fileName": name} for name in accepted],
            "rejected": rejected,
        }
        return 202 if accepted else 400, {}, msgspec.json.encode(said)


def _said(message: str) -> bytes:
    return msgspec.json.encode({"message": message})


@contextmanager
def serving() -> Iterator[Platform]:
    """Lend a platform that listens."""
    platform = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(lambda: platform.download() if self.path == "/data/download" else (404, {}, _said("")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)) or self._chunks()
            kind = self.headers["content-type"]
            places = {"/data/upload": False, "/data/amend": True}
            self._answer(
                lambda: (
                    platform.upload(body, kind, amend=places[self.path])
                    if self.path in places
                    else (404, {}, _said(""))
                )
            )

        def _chunks(self) -> bytes:
            body = b""
            while self.headers.get("transfer-encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
                body += self.rfile.read(size)
                self.rfile.readline()
            return body

        def _answer(self, ask: Any) -> None:
            if platform.first:
                status, headers = platform.first.pop(0)
                body = b""
            elif self.headers.get("X-API-KEY") != KEY:
                status, headers, body = 401, {"Content-Type": "text/plain"}, b"Unauthorized"
            else:
                status, headers, body = ask()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    platform.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield platform
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
