"""The kinds of rights, restrictions and responsibilities, as a table with their legal sources (`data/rights/`)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gis.errors import BadInput, UnreadableFile
from gis.resources import resource

MORTGAGE = "mortgage"
TRANSFER_BAN = "transfer_ban"


class RightClass(StrEnum):
    """The three classes of LADM's RRR (ISO 19152)."""

    RIGHT = "right"
    RESTRICTION = "restriction"
    RESPONSIBILITY = "responsibility"


@dataclass(frozen=True, slots=True)
class RightType:
    """A kind of right and what extracts call it."""

    name: str
    kind: RightClass
    exclusive: bool
    """Whether the shares of all who hold it in a unit add up to one."""
    vi: str
    en: str
    source: str
    article: str
    doubt: str
    """`?` where the citation is not certain."""


@cache
def right_types() -> Mapping[str, RightType]:
    """All kinds by name.

    Raises:
        UnreadableFile: the table is damaged.
    """
    path = resource("rights", "right_types.csv")
    found: dict[str, RightType] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                exclusive = {"true": True, "false": False}[row["exclusive"]]
                kind = RightClass(row["class"])
                names = (row["vi"], row["en"], row["source"], row["article"], row["doubt"])
            except (KeyError, ValueError) as error:
                raise UnreadableFile(path, f"line {number} is not complete ({error})") from error
            found[row["type"]] = RightType(row["type"], kind, exclusive, *names)
    return found


def right_type(name: str) -> RightType:
    """The kind of that name.

    Raises:
        BadInput: there is none.
    """
    found = right_types().get(name)
    if found is None:
        raise BadInput(f"{name}: no such type of right; there are {', '.join(right_types())}")
    return found
