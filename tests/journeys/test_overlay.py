"""A tenant's own policy that was acknowledged binds every later decision, on every process."""

from contextlib import ExitStack, closing

from tests.journeys.conftest import Installation
from tests.journeys.processes import Client, running

PATH = "/v1/policy/overlay"
CASE = {
    "jurisdiction": "DE",
    "channel": "post",
    "purpose": "marketing",
    "subject": {"is_customer": True},
    "context": {"lia_on_file": True},
}


def ask(client: Client) -> tuple[str, str]:
    """Return what a letter gets, and under which version of the overlay."""
    status, answer = client("POST", "/v1/simulations/decision", CASE)
    assert status == 200, answer
    return answer["decision"], answer["policy_revision"].partition("+")[2]


def test_what_one_process_has_stored_binds_the_other_at_once(installation: Installation) -> None:
    with ExitStack() as stack:
        services = [stack.enter_context(running("serve", "--port", "0", env=installation.env)) for _ in range(2)]
        one, other = (stack.enter_context(closing(Client(each.url, installation.token))) for each in services)
        assert ask(one) == ask(other) == ("permit", "")
        for turn in range(1, 20, 2):
            writer, reader = (one, other) if turn % 4 == 1 else (other, one)
            assert writer("PUT", PATH, {"denied": [{"channel": "post"}]})[1]["version"] == turn
            assert ask(reader) == ask(writer) == ("deny", f"overlay.{turn}")

            assert reader("PUT", PATH, {})[1]["version"] == turn + 1
            assert ask(writer) == ask(reader) == ("permit", f"overlay.{turn + 1}")
