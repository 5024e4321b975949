"""What a running service reports about its answers: to whoever reads its metrics and its log."""

import socket
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from service.settings import Settings

STRANGER = {"subject": "ada-lovelace", "channel": "email", "purpose": "marketing"}


async def test_decisions_and_evaluations_are_counted(client: httpx.AsyncClient):
    for _ in range(2):
        assert (await client.post("/v1/decisions", json=STRANGER)).status_code == 200
    metrics = (await client.get("/metrics")).text

    assert 'volens_decisions_total{basis="none",outcome="deny"} 2.0' in metrics
    assert 'volens_engine_seconds_count{engine="wasm"} 1.0' in metrics, "the second came from the memo"


class TestWithAnEngineThatIsNotThere:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        return Settings(data_dir=str(tmp_path), opa_url=address)

    async def test_its_failure_is_counted_and_logged_without_the_question(
        self, client: httpx.AsyncClient, log: BytesIO
    ):
        assert (await client.post("/v1/decisions", json=STRANGER)).status_code == 503
        metrics = (await client.get("/metrics")).text

        assert 'volens_engine_failures_total{engine="opa"} 1.0' in metrics
        assert "volens_decisions_total{" not in metrics
        assert b'"event":"engine_failed"' in log.getvalue()
        assert b"lovelace" not in log.getvalue()


async def test_decisions_of_a_batch_are_counted_once_they_are_stored(client: httpx.AsyncClient):
    await client.put("/v1/subjects/p0", json={"residence": "DE", "age": 40})
    body = b'{"channel": "email", "purpose": "marketing"}\n"p0"\n"nobody"\n"p0"\n"x y"\n'
    await client.post("/v1/decisions/batch", content=body, headers={"content-type": "application/x-ndjson"})

    metrics = (await client.get("/metrics")).text

    assert 'volens_decisions_total{basis="none",outcome="deny"} 3.0' in metrics
