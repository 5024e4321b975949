"""Real processes of the service, driven as a client and an operator would."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from service.postgres import DatabaseUrls

VOLENS = str(Path(sys.executable).with_name("volens"))


def environment(data: Path, urls: DatabaseUrls | None = None) -> dict[str, str]:
    """Return the environment of an operator: our settings and nothing of ours from outside."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOLENS_")}
    clean["VOLENS_DATA_DIR"] = str(data)
    if urls:
        clean |= {
            "VOLENS_DATABASE_URL": urls.app,
            "VOLENS_OWNER_DATABASE_URL": urls.owner,
            "VOLENS_WORKER_DATABASE_URL": urls.worker,
        }
    return clean


def volens(*arguments: str, env: Mapping[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run([VOLENS, *arguments], env=env, check=check, capture_output=True, text=True, timeout=120)


class Service:
    """A started `volens up` or `volens serve`: everything it printed, and where it answers."""

    def __init__(self, *arguments: str, env: Mapping[str, str]) -> None:
        self.printed: list[str] = []
        self.process = subprocess.Popen(
            [VOLENS, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.printed.append(line.rstrip("\n"))
            if re.fullmatch(r"ready http://\S+", line.strip()):
                self._ready.set()
        self._ready.set()

    @property
    def url(self) -> str:
        assert self._ready.wait(60), "not ready after a minute:\n" + self.text
        lines = [line.strip() for line in self.printed if line.startswith("ready http://")]
        assert lines, "ended without being ready:\n" + self.text
        return lines[0].removeprefix("ready ")

    @property
    def text(self) -> str:
        return "\n".join(self.printed)

    def stop(self, how: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self._reader.join(10)
        if self.process.stdout:
            self.process.stdout.close()
        return code


@contextmanager
def running(*arguments: str, env: Mapping[str, str]) -> Iterator[Service]:
    service = Service(*arguments, env=env)
    try:
        yield service
    finally:
        service.stop(signal.SIGTERM)


class Client:
    """JSON over HTTP with a token."""

    def __init__(self, url: str, token: str) -> None:
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30)

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self._http.request(
            method,
            path,
            content=None if body is None else json.dumps(body),
            headers={"content-type": "application/json"},
        )
        return answer.status_code, answer.json()

    def stream(self, path: str, lines: Sequence[str]) -> tuple[int, list[Any]]:
        """Send lines of JSON and return those of the answer."""
        answer = self._http.post(path, content="\n".join(lines), headers={"content-type": "application/x-ndjson"})
        return answer.status_code, [json.loads(line) for line in answer.text.splitlines()]

    def text(self, path: str) -> str:
        return self._http.get(path).text

    def close(self) -> None:
        self._http.close()
