"""The versions of procedures from `data/procedures/*.csv`."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from pathlib import Path

from gis.construction.procedure import (
    DECIDE,
    ChecklistItem,
    Event,
    LastDay,
    Law,
    Procedure,
    ProcedureVersion,
    Step,
    Unit,
)
from gis.errors import UnreadableFile
from gis.resources import resource
from gis.tables import Record, records

_ENDS = ("citation", "doubt", "verified_by")
_LAW = ("law", "title", "title_vi", "valid_from", "valid_to", "last_day", *_ENDS)
_PROCEDURE = ("law", "procedure", "title", "title_vi", "extension_most_days", *_ENDS)
_STEP = (
    *("law", "procedure", "step", "title", "title_vi", "after", "duration", "unit", "stops", "role"),
    *("silence_is_consent", *_ENDS),
)
_ITEM = ("law", "procedure", "item", "title", "title_vi", "required", *_ENDS)
DURATION_MOST = 365
_Key = tuple[str, Procedure]


@lru_cache(maxsize=1)
def procedures() -> tuple[ProcedureVersion, ...]:
    """The versions that come with diaba.

    Raises:
        UnreadableFile: a row of a table cannot be used.
    """
    return read_procedures(resource("procedures"))


def read_procedures(folder: Path) -> tuple[ProcedureVersion, ...]:
    """Read the four tables of a folder.

    Raises:
        UnreadableFile: a row cannot be used, refers to what is not there, occurs twice, or two laws govern a day.
    """
    laws = _laws(folder / "laws.csv")
    steps: dict[_Key, list[Step]] = defaultdict(list)
    for row in records(folder / "steps.csv", _STEP):
        steps[_key(row)].append(_step(row))
    items: dict[_Key, list[ChecklistItem]] = defaultdict(list)
    for row in records(folder / "checklist.csv", _ITEM):
        items[_key(row)].append(_item(row))
    path = folder / "procedures.csv"
    found: dict[_Key, ProcedureVersion] = {}
    for row in records(path, _PROCEDURE):
        key = _key(row)
        if key in found:
            raise row.refused("procedure", "it occurs twice under this law")
        if key[0] not in laws:
            raise row.refused("law", "laws.csv has no such law")
        own = tuple(steps.pop(key, ()))
        _check_steps(row, own)
        found[key] = ProcedureVersion(
            key[1],
            laws[key[0]],
            row.text("title"),
            row.text("title_vi"),
            row.whole("extension_most_days"),
            own,
            tuple(items.pop(key, ())),
            row.text("citation"),
            row.doubt("doubt"),
        )
    for name, left in (("steps.csv", steps), ("checklist.csv", items)):
        for law, procedure in left:
            raise UnreadableFile(folder / name, f"procedures.csv has no {procedure} under {law}")
    return tuple(found.values())


def _laws(path: Path) -> dict[str, Law]:
    found: dict[str, Law] = {}
    for row in records(path, _LAW):
        start = row.day("valid_from")
        if start is None:
            raise row.refused("valid_from", "it is empty")
        law = Law(
            row.text("law"),
            row.text("title"),
            row.text("title_vi"),
            start,
            row.day("valid_to"),
            row.word("last_day", LastDay),
            row.text("citation"),
            row.doubt("doubt"),
        )
        if law.valid_to is not None and law.valid_to < law.valid_from:
            raise row.refused("valid_to", "it is before valid_from")
        if law.name in found:
            raise row.refused("law", "it occurs twice")
        for other in found.values():
            if other.governs(law.valid_from) or law.governs(other.valid_from):
                raise row.refused("valid_from", f"{other.name} governs some of these filing dates too")
        found[law.name] = law
    return found


def _key(row: Record) -> _Key:
    return row.text("law"), row.word("procedure", Procedure)


def _step(row: Record) -> Step:
    duration = row.whole("duration")
    if not 0 < duration <= DURATION_MOST:
        raise row.refused("duration", f"a step takes 1 to {DURATION_MOST} days")
    stops = row.answer("stops")
    if stops is None:
        raise row.refused("stops", "say yes or no")
    return Step(
        row.text("step"),
        row.text("title"),
        row.text("title_vi"),
        row.word("after", Event),
        duration,
        row.word("unit", Unit),
        stops,
        row.text("role"),
        row.answer("silence_is_consent"),
        row.text("citation"),
        row.doubt("doubt"),
    )


def _item(row: Record) -> ChecklistItem:
    required = row.answer("required")
    if required is None:
        raise row.refused("required", "say yes or no")
    return ChecklistItem(
        row.text("item"),
        row.text("title"),
        row.text("title_vi"),
        required,
        row.text("citation"),
        row.doubt("doubt"),
    )


def _check_steps(row: Record, steps: tuple[Step, ...]) -> None:
    names = [step.name for step in steps]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise row.refused("procedure", f"steps.csv has its step {twice} twice")
    last = next((step for step in steps if step.name == DECIDE), None)
    if last is None or last.after is not Event.FILED:
        raise row.refused("procedure", f"steps.csv has no step {DECIDE} that counts from its filing")
