"""Every refusal that a request can cause reaches its caller as a problem with a status."""

import importlib
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus

import service
from service.kernel import DomainError
from service.routes import STATUSES

# Refusals of commands, which end as a line on standard error and an exit code. No request can cause them.
COMMANDS = {
    "access",
    "activation",
    "anchoring",
    "auditing",
    "carrying",
    "cases",
    "choosing",
    "databases",
    "demo",
    "drop",
    "extents",
    "listening",
    "migrating",
    "operations",
    "own_files",
    "processes",
    "postgres",
    "postgres_files",
    "postgres_programs",
    "restoring",
    "trying",
    "workers",
}


def refusals(parent: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for error in parent.__subclasses__():
        place = error.__module__.split(".")
        if place[0] == "service" and place[1] not in COMMANDS:
            yield error
        yield from refusals(error)


def load_everything() -> None:
    for module in pkgutil.walk_packages(service.__path__, "service."):
        importlib.import_module(module.name)


def test_every_domain_error_has_a_status():
    load_everything()

    assert [error.__name__ for error in refusals() if not STATUSES.keys() & set(error.__mro__)] == []


def test_a_refusal_of_business_is_409_and_never_422():
    assert set(STATUSES.values()) <= {400, 401, 403, 404, 409, 410, 412, 413, 429, 500, 503}


def test_only_what_is_damaged_is_500_and_does_not_ask_to_be_asked_again():
    assert {error.__name__ for error, status in STATUSES.items() if status == HTTPStatus.INTERNAL_SERVER_ERROR} == {
        "Unreadable"
    }


def test_no_two_errors_share_a_code():
    load_everything()
    errors = {error for error in refusals() if "code" in vars(error)}

    assert len({error.code for error in errors}) == len(errors)
