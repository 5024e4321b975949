"""Whether a table has the shape that its schema describes."""

from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Final

import msgspec
from jsonschema import Draft7Validator

from service.trials.domain import Misshapen, step
from service.trials.edges import UNJUDGED

_OTHERS: Final = {"input", "catalogue", *UNJUDGED}
"""Schemas of what is no table, or of those that no decision rests on."""


class JsonSchemas:
    """Implements Shapes with the files of a folder, ``<table>.json`` each."""

    def __init__(self, folder: Path) -> None:
        self._validators: Mapping[str, Any] = {
            file.stem: Draft7Validator(msgspec.json.decode(file.read_bytes()))
            for file in sorted(folder.glob("*.json"))
            if file.stem not in _OTHERS
        }

    def __contains__(self, table: object) -> bool:
        return table in self._validators

    def faults(self, table: str, document: Any) -> Iterator[Misshapen]:
        """Yield what is wrong with `document`, and never a value of it."""
        for error in self._validators[table].iter_errors(document):
            pointer = reduce(step, error.absolute_path, "")
            if error.validator == "additionalProperties":
                for name in sorted(error.instance.keys() - error.schema.get("properties", {}).keys()):
                    yield Misshapen(pointer=step(pointer, name), detail="Unknown member")
            else:
                asked = msgspec.json.encode(error.validator_value).decode()
                yield Misshapen(pointer=pointer, detail=f"`{error.validator}` has to be {asked}")
