"""When a permit is due, asked in words: the procedure in force, the working days, the pauses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gis.calendar import vietnam
from gis.construction.procedure import Clock, Pause, Procedure, run_clock, version_in_force
from gis.construction.procedure_tables import procedures
from gis.errors import BadParameter


def permit_clock(
    procedure: Procedure | str,
    filed: date | str,
    pauses: Sequence[tuple[date | str, date | str]] = (),
    extended_days: int = 0,
) -> Clock:
    """The due dates of a dossier under the law in force on its filing date; asks no store.

    Args:
        procedure: Such as "single_house".
        filed: When the complete dossier was filed.
        pauses: First and last day of each, while the applicant supplements.
        extended_days: By which the office extended the clock.

    Raises:
        BadParameter: there is no such procedure, a day is none, no law on record was in force then, or the law knows no
            such extension.
    """
    try:
        asked = Procedure(procedure)
    except ValueError:
        raise BadParameter("procedure", str(procedure)[:40], f"there are {', '.join(Procedure)}") from None
    day = _day("filed", filed)
    stands = [Pause(_day("pauses", first), _day("pauses", last)) for first, last in pauses]
    return run_clock(version_in_force(procedures(), asked, day), day, vietnam(), stands, extended_days)


def _day(name: str, value: date | str) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise BadParameter(name, value[:40], "give a day such as 2026-07-01") from None
