"""What an import found, for a person: as a document, and as a GeoPackage to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from geopandas import GeoDataFrame
from pyproj import CRS

from gis.files import written_whole
from gis.land.exchange.problems import Problem
from gis.land.exchange.record import FIELDS, ParcelRecord

PROBLEMS, PARCELS = "problems", "parcels"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The outcome of checking files of parcels, all geometry in the city's CRS."""

    files: tuple[str, ...]
    records: tuple[ParcelRecord, ...] = field(repr=False)
    problems: tuple[Problem, ...]
    new: int
    """Parcels the register does not have."""
    changed: int
    """Parcels of which it will have a new version."""
    unchanged: int
    """Parcels known as they are."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the import from being written."""
        return tuple(problem for problem in self.problems if problem.is_error)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What a person should look at."""
        return tuple(problem for problem in self.problems if not problem.is_error)

    def document(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "files": list(self.files),
            "records": len(self.records),
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "by_kind": dict(sorted(Counter(str(problem.kind) for problem in self.problems).items())),
            "problems": [_row(problem) for problem in self.problems],
        }


def write_report(path: Path, report: ImportReport, crs: CRS) -> None:
    """Write a GeoPackage with the layers `problems` (record, kind, severity, reasons, geometry) and `parcels`."""
    rows = [_row(problem) for problem in report.problems]
    shapes = np.array([problem.shape for problem in report.problems], dtype=object)
    columns: Mapping[str, Sequence[Any]] = {
        name: [row[name] for row in rows] for name in ("severity", "kind", "record", "reason_vi", "reason_en")
    }
    parcels: Mapping[str, Sequence[Any]] = {
        "source": [record.source for record in report.records],
        **{name: [_plain(getattr(record, name)) for record in report.records] for name in FIELDS},
    }
    outlines = np.array([record.shape for record in report.records], dtype=object)
    with written_whole(path) as part:
        options: dict[str, Any] = {"driver": "GPKG", "geometry_type": "Unknown"}
        frame = GeoDataFrame(columns, geometry=shapely.force_2d(shapes), crs=crs)
        pyogrio.write_dataframe(frame, part, layer=PROBLEMS, **options)
        frame = GeoDataFrame(parcels, geometry=shapely.force_2d(outlines), crs=crs)
        pyogrio.write_dataframe(frame, part, layer=PARCELS, append=True, **options)


def _row(problem: Problem) -> dict[str, Any]:
    return {
        "record": problem.record,
        "kind": str(problem.kind),
        "severity": str(problem.severity),
        "reason_vi": problem.vi,
        "reason_en": problem.en,
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
