"""The ready mappings, from `mappings/`."""

from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from service.consent.columns import Columns

READY: Final = ("braze", "hubspot", "klaviyo", "mailchimp", "salesforce-marketing-cloud")


@cache
def ready(name: str) -> Columns:
    """Raises: OSError, msgspec.MsgspecError: its file is missing, or isn't one."""
    file = files("service.consent") / "mappings" / f"{name}.json"
    return msgspec.json.decode(file.read_bytes(), type=Columns)
