"""The committed OpenAPI document is the contract: generated requests, valid and not, against a real server."""

import gc
import json
import os
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import AuthContext, Case

from service.given import new_id, utc_now
from service.kernel import SCOPES
from service.web.local_issuer import LocalIssuer
from tests.conftest import Database
from tests.journeys.processes import environment, running, volens

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))
"""Generated requests for each operation; more by the environment."""


@schemathesis.serializer("application/x-ndjson")
def lines(ctx: schemathesis.SerializationContext, value: object) -> bytes:
    """Write the first line, which is all that the document describes as a body."""
    return json.dumps(value).encode() + b"\n"


BAD_VALUE = ["2xx", "400", "401", "403", "404", "409", "410", "412", "429"]
"""What a value must look like is said by its field, what base64 is by nobody, and extensions may hold anything but
U+0000: a bad one is 400 all the same."""
ENDED = ["2xx", "3xx", "401", "403", "404", "409", "410", "429", "5xx"]
"""What somebody has deleted meanwhile is gone for a good request too."""
CONFIG = {
    "checks": {"positive_data_acceptance": {"expected-statuses": ENDED}},
    "operations": [
        *(
            {
                "include-operation-id": operation,
                "checks": {"positive_data_acceptance": {"expected-statuses": BAD_VALUE}},
            }
            for operation in ("putValue", "deleteValue", "lookUp", "writeLetter", "takeOpenDsrRequest", "bringFile")
        ),
        # Each line has an outcome of its own, in an answer that is 200.
        *(
            {"include-operation-id": operation, "checks": {"negative_data_rejection": {"enabled": False}}}
            for operation in ("importValues", "importRecords")
        ),
    ],
}
schema = schemathesis.openapi.from_path(DOCUMENT, config=schemathesis.Config.from_dict(CONFIG))
FOLDER = TemporaryDirectory()
"""The local issuer's key must exist before the server: schemathesis makes requests while tests are collected."""

TOKEN = LocalIssuer.open(Path(FOLDER.name), "volens").sign(
    tenant="acme",
    scope=" ".join(SCOPES),
    subject="schemathesis",
    ttl=timedelta(hours=1),
    now=utc_now(),
    new_id=new_id,
)


@schema.auth(refresh_interval=None)
class Bearer:
    """Known to schemathesis as authentication, so that it can also leave it out."""

    def get(self, case: Case, context: AuthContext) -> str:
        return TOKEN

    def set(self, case: Case, data: str, context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


# schemathesis leaves some of its sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def served(database: Database) -> Iterator[str]:
    env = environment(Path(FOLDER.name), database.urls)
    volens("migrate", env=env)
    volens("tenant", "add", "acme", env=env)
    with running("serve", "--port", "0", env=env) as service:
        yield service.url
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_as_documented(case: Case, served: str) -> None:
    case.call_and_validate(base_url=served)


def test_requests_that_build_on_each_other_are_answered_as_documented(served: str) -> None:
    class Workflow(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case) -> dict[str, str]:
            return {"base_url": served}

    Workflow.run(
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
    )
