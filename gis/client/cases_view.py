"""A city's cases: differences somebody is to look at, what inspections found, and what they say of each kind."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gis.bounds import BoundingBox
from gis.calendar import today
from gis.client import tables
from gis.client.asked import Box, Day, Moment, Placed, day_of, moment_of
from gis.client.tables import Feature
from gis.construction.inspections import Inspection, Outcome
from gis.crs import CrsLike
from gis.errors import BadParameter
from gis.store.cases import CASES

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

CASE_FILTERS = frozenset({"kind", "status", "ward", "epoch", "building", "parcel", "assigned_to"})
COUNTS = ("flagged", "open", "closed", "inspected", "confirmed", "resolved", "dismissed", "further_inspections")
STATISTICS = (
    *("kind", *COUNTS[:-1], "precision", "precision_low", "precision_high", "false_alarm_rate"),
    *("recommended_rate", "recommended_precision", "recommended_flagged", "further_inspections"),
)
"""Columns of the statistics."""


class CasesView(Placed):
    """Cases of a city, and inspections of them."""

    def cases(
        self,
        bbox: Box | None = None,
        *,
        crs: CrsLike | None = None,
        known_at: Moment | None = None,
        min_confidence: float | None = None,
        **properties: str,
    ) -> GeoDataFrame:
        """Differences as cases of work: with their status, whom they are assigned to and what inspections found.

        `kind` and `status` may name several, parted by commas; besides there are `ward`, `epoch`, `building`, `parcel`
        and `assigned_to`.

        Raises:
            BadParameter: there is no such filter, or no such status.
        """
        if unknown := set(properties) - CASE_FILTERS:
            raise BadParameter(min(unknown), "…", f"no such filter; there are {', '.join(sorted(CASE_FILTERS))}")
        found = self._cases(self._bounds(bbox, crs), moment_of(known_at), min_confidence, properties)
        return tables.frame(found, self.crs, crs, None, tuple(CASES.properties))

    def statistics(self, epoch: str | None = None) -> DataFrame:
        """What inspections say of each kind of difference, in one survey or in all.

        How many were flagged, inspected and real, the interval (95 %) of that share, and the false-alarm rate that the
        outcomes recommend. Only flagged buildings are counted: nothing is said of what was missed.
        """
        import pandas

        rows = list(self._statistics(epoch))
        told = pandas.DataFrame(rows, columns=STATISTICS)
        figures = {name: "int64" if name in COUNTS else "float64" for name in STATISTICS if name != "kind"}
        return told.astype(figures)

    def inspect(
        self,
        case: str,
        outcome: Outcome | str,
        *,
        on: Day | None = None,
        value: float | None = None,
        note: str | None = None,
    ) -> None:
        """Record what somebody saw on the ground. It is kept for ever; a later inspection may say otherwise.

        Args:
            case: its id, as `cases` and `discrepancies` tell it.
            outcome: "confirmed", "within_limits", "register_wrong" or "not_accessible".
            on: the day; today without it.
            value: what was measured, in the case's unit.
            note: in words.

        Raises:
            NotFound: there is no such case.
            Conflict: that may not happen to it now, or somebody was faster.
            BadParameter: a value cannot be used.
            Refused: the service does not let this caller do it.
        """
        try:
            found = Outcome(outcome)
        except ValueError:
            raise BadParameter("outcome", str(outcome)[:40], f"there are {', '.join(Outcome)}") from None
        self._inspect(case, Inspection(day_of(on) or today(), found, value, note).check(today()))

    @abstractmethod
    def _cases(
        self,
        bounds: BoundingBox | None,
        known_at: datetime | None,
        min_confidence: float | None,
        properties: Mapping[str, str],
    ) -> Iterable[Feature]:
        """Cases in the order of their ids, geometry in the city's CRS."""

    @abstractmethod
    def _statistics(self, epoch: str | None) -> Iterable[Mapping[str, Any]]:
        """A row of each kind, of the columns `STATISTICS` and others."""

    @abstractmethod
    def _inspect(self, case: str, seen: Inspection) -> None:
        """Add an inspection to a case."""
