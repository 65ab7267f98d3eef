"""What somebody may see and change: which wards, for which department's work.

A grant is written `department:area` or `department:area:change`: `inspection:26734` sees what inspectors of the ward
see, `land:760:change` lets the land office of a district change its register, `planning:*` sees the plans' side of
every ward. Several grants add up; without any one is the public. Identity numbers and names are in no scope: the
reader's login has no right to those columns at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from types import MappingProxyType

from gis.errors import BadParameter

EVERY = "*"
"""The area that is all wards."""
WARDS_MOST = 2_000
"""Wards of one scope; the largest city has some hundred."""
_AREA = re.compile(r"\*|[A-Za-z0-9_.-]{1,32}", re.ASCII)


class Department(StrEnum):
    """An office's branch."""

    LAND = "land"
    CONSTRUCTION = "construction"
    INSPECTION = "inspection"
    PLANNING = "planning"


class Subject(StrEnum):
    """What rows that not everybody sees are about."""

    LAND = "land"
    """Parcels and permits, where the city does not show them to everybody."""
    RIGHTS = "rights"
    """Rights, certificates and units, without anybody's identity."""
    DOSSIERS = "dossiers"
    """Dossiers of building permits, and the verdicts of planning rules that were kept for them."""
    DIFFERENCES = "differences"
    """Where the measured city differs from the registered one: nobody is accused in public."""


SEES: Mapping[Department, frozenset[Subject]] = MappingProxyType(
    {
        Department.LAND: frozenset({Subject.LAND, Subject.RIGHTS}),
        Department.CONSTRUCTION: frozenset({Subject.LAND, Subject.DOSSIERS, Subject.DIFFERENCES}),
        Department.INSPECTION: frozenset({Subject.LAND, Subject.DIFFERENCES}),
        Department.PLANNING: frozenset({Subject.LAND, Subject.DIFFERENCES}),
    }
)
CHANGES: Mapping[str, Department] = MappingProxyType(
    {
        "parcels": Department.LAND,
        "rights": Department.LAND,
        "permits": Department.CONSTRUCTION,
        "dossiers": Department.CONSTRUCTION,
        "discrepancies": Department.INSPECTION,
        "planning_zones": Department.PLANNING,
        "roads": Department.PLANNING,
    }
)
"""Collection → the one department that may change it. What is measured is changed by no office."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """What one department's work needs in some wards."""

    department: Department
    wards: frozenset[str]
    """Codes of wards, or `*` for all."""
    may_change: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """All that somebody may see and change."""

    grants: frozenset[Grant] = frozenset()

    def wards(self, subject: Subject) -> frozenset[str]:
        """Where rows about the subject are seen: codes of wards, or `*` alone for everywhere."""
        found = frozenset[str]().union(*(one.wards for one in self.grants if subject in SEES[one.department]))
        return frozenset({EVERY}) if EVERY in found else found

    def may_change(self, collection: str, ward: str | None) -> bool:
        """Whether features of the collection may be changed in a ward; None is a feature of no known ward.

        A road or zone across several wards asks for each of them.
        """
        department = CHANGES.get(collection)
        return any(
            one.may_change and one.department is department and (EVERY in one.wards or ward in one.wards)
            for one in self.grants
        )

    def document(self) -> str:
        """What is seen, as `differences=26734,26737;land=*`: two scopes that see the same have the same.

        The database takes it apart; neither a ward's code nor a subject has one of these signs.
        """
        seen = {str(subject): sorted(self.wards(subject)) for subject in Subject}
        return ";".join(f"{name}={','.join(wards)}" for name, wards in sorted(seen.items()) if wards)

    @property
    def key(self) -> str:
        """A short name of what is seen, "public" where nothing but the public's is."""
        document = self.document()
        return "public" if document == "" else blake2b(document.encode(), digest_size=12).hexdigest()


NOTHING_MORE = Scope()
"""The public's."""
EVERYTHING = Scope(frozenset(Grant(department, frozenset({EVERY}), may_change=True) for department in Department))
"""Of who works on the city's own machine, with its secrets."""


def scope_of(grants: Iterable[str], districts: Mapping[str, frozenset[str]] = MappingProxyType({})) -> Scope:
    """The scope that grants as text add up to.

    Args:
        grants: As this module's first lines say.
        districts: Code of a district → its wards. An area of that code is all of them.

    Raises:
        BadParameter: a grant cannot be read, or there are more than `WARDS_MOST` wards in one.
    """
    return Scope(frozenset(_grant(text, districts) for text in grants))


def scope_within(texts: Iterable[object], districts: Mapping[str, frozenset[str]] = MappingProxyType({})) -> Scope:
    """The scope of those texts that are grants; a list of groups from elsewhere has others too, which give nothing."""
    found = set()
    for text in texts:
        try:
            found.add(_grant(text, districts))
        except BadParameter:
            continue
    return Scope(frozenset(found))


def _grant(text: object, districts: Mapping[str, frozenset[str]]) -> Grant:
    parts = text.split(":") if isinstance(text, str) and len(text) <= 100 else []
    if len(parts) not in (2, 3) or parts[0] not in list(Department) or not _AREA.fullmatch(parts[1]):
        names = ", ".join(Department)
        why = f"give department:area, or department:area:change, with a department of {names} and a ward, district or *"
        raise BadParameter("grant", str(text)[:40], why)
    if len(parts) == 3 and parts[2] != "change":
        raise BadParameter("grant", str(text)[:40], "after the area only `change` may stand")
    wards = districts.get(parts[1], frozenset({parts[1]}))
    if len(wards) > WARDS_MOST:
        raise BadParameter("grant", str(text)[:40], f"a district has at most {WARDS_MOST} wards")
    return Grant(Department(parts[0]), wards, len(parts) == 3)
