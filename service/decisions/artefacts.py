"""Reads what `make policy` built (`policies/build`)."""

from pathlib import Path
from zoneinfo import available_timezones

import msgspec

from service.consent import Vocabulary
from service.decisions.calendar_of import is_holiday
from service.decisions.policy import Policy, RuleNote, policy_data
from service.subjects import Gazetteer


def read_policy(build: Path, places: frozenset[str]) -> Policy:
    """Return the policy in the folder `build`. `places` are the codes that exist at all.

    Raises:
        OSError, msgspec.MsgspecError: an artefact is missing or isn't what it should be.
    """
    data = policy_data((build / "data.json").read_bytes())
    rules = msgspec.json.decode((build / "rules.json").read_bytes(), type=list[RuleNote])
    return Policy(
        revision=(build / "revision").read_text().strip(),
        data=data,
        vocabulary=Vocabulary.of(data.actions, data.methods),
        rules={rule.id: rule for rule in rules},
        gazetteer=Gazetteer(places=places, zones=frozenset(available_timezones())),
        is_holiday=is_holiday,
    )
