"""The ready mappings, from `mappings/`."""

from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from service.consent.columns import Columns, MappingUnusable

READY: Final = ("braze", "hubspot", "klaviyo", "mailchimp", "salesforce-marketing-cloud")


@cache
def ready(name: str) -> Columns:
    """Return a ready mapping by its name.

    Raises:
        MappingUnusable: there is none of this name.
        OSError, msgspec.MsgspecError: its file is missing, or isn't one.
    """
    if name not in READY:
        raise MappingUnusable(f"no ready mapping has this name; there are {', '.join(READY)}", parameters=["mapping"])
    file = files("service.consent") / "mappings" / f"{name}.json"
    return msgspec.json.decode(file.read_bytes(), type=Columns)
