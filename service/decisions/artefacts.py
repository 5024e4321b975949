"""Reads what `make policy` built (`policies/build`)."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import holidays
import msgspec

from service.consent import Vocabulary
from service.decisions.calendar_of import is_holiday
from service.decisions.measures import NOWHERE
from service.decisions.policy import Policy, RuleNote, policy_data
from service.subjects import Gazetteer


def read_policy(build: Path) -> Policy:
    """Return the policy in the folder `build`.

    Raises:
        OSError, msgspec.MsgspecError: an artefact is missing or isn't what it should be.
    """
    return policy_of(
        (build / "revision").read_text().strip(),
        (build / "data.json").read_bytes(),
        (build / "rules.json").read_bytes(),
    )


def policy_of(revision: str, document: bytes, rules: bytes) -> Policy:
    """Return the policy that these artefacts are, but for its module.

    Raises:
        msgspec.MsgspecError: an artefact isn't what it should be.
    """
    data = policy_data(document)
    return Policy(
        revision=revision,
        data=data,
        vocabulary=Vocabulary.of(data.actions, data.methods, data.keeping),
        rules={rule.id: rule for rule in msgspec.json.decode(rules, type=list[RuleNote])},
        gazetteer=Gazetteer(places=_places(data.places), zones=frozenset(available_timezones())),
        is_holiday=is_holiday,
        tables=msgspec.json.decode(document)["volens"],
    )


def read_schema(file: Path) -> Mapping[str, Any]:
    """Return the schema of the facts.

    Raises:
        OSError, msgspec.DecodeError: it is missing, or no JSON.
    """
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])


def _places(of_the_law: Iterable[str]) -> frozenset[str]:
    """Return the codes that exist: countries by the time zone database, subdivisions as far as a library lists them."""
    table = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text()
    countries = {line.split("\t")[0] for line in table.splitlines() if line and not line.startswith("#")}
    subdivisions = {
        f"{country}-{part}"
        for country, parts in holidays.list_supported_countries().items()
        if country in countries
        for part in parts
    }
    return frozenset({NOWHERE, *countries, *subdivisions, *of_the_law})
