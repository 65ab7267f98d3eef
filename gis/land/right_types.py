"""The kinds of rights, restrictions and responsibilities, as a table with their legal sources (`data/rights/`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gis.errors import BadInput
from gis.resources import resource
from gis.tables import records

MORTGAGE = "mortgage"
TRANSFER_BAN = "transfer_ban"
COLUMNS = ("type", "class", "exclusive", "vi", "en", "source", "article", "doubt", "verified_by")


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
    found: dict[str, RightType] = {}
    for row in records(resource("rights", "right_types.csv"), COLUMNS):
        exclusive = row.answer("exclusive")
        if exclusive is None:
            raise row.refused("exclusive", "it is empty")
        name, kind = row.text("type"), row.word("class", RightClass)
        texts = (row.text("vi"), row.text("en"), row.text("source"), row.optional("article") or "")
        found[name] = RightType(name, kind, exclusive, *texts, row.doubt("doubt") or "")
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
