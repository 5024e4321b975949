"""Every refusal reaches its caller as a problem with a status of its own."""

import importlib
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus

import service
from service.app import STATUSES
from service.kernel import DomainError


def refusals(parent: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for error in parent.__subclasses__():
        if error.__module__.startswith("service."):
            yield error
        yield from refusals(error)


def load_everything() -> None:
    for module in pkgutil.walk_packages(service.__path__, "service."):
        importlib.import_module(module.name)


def test_every_domain_error_has_a_status():
    load_everything()

    assert {error.__name__ for error in refusals()} - {error.__name__ for error in STATUSES} == set()


def test_a_refusal_of_business_is_409_and_never_422():
    allowed = {
        HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT, HTTPStatus.CONTENT_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE,
    }  # fmt: skip

    assert set(STATUSES.values()) <= allowed


def test_no_two_errors_share_a_code():
    load_everything()
    errors = {error for error in refusals() if "code" in vars(error)}

    assert len({error.code for error in errors}) == len(errors)
