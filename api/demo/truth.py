"""What the chain made, held against the simulated city's truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from gis.bounds import BoundingBox
from gis.construction.compliance import Difference
from gis.errors import DiabaError
from gis.raster import Raster, read_raster
from lidar.accuracy import GroundErrors, ground_errors
from lidar.catalog import scan
from lidar.point_cloud import Class, PointCloud
from lidar.read import read_many

OPEN_GROUND = 1
"""Code of open ground in the scene's land cover."""
CELLS_OF = {1: "open", 2: "under_trees", 3: "under_buildings", 4: "alley", 5: "bank", 6: "water", 7: "bridge", 8: "pit"}


@dataclass(frozen=True, slots=True)
class DifferenceScore:
    """How the flagged differences compare with the planted ones."""

    planted: int
    found: int
    false: int
    """Flagged on a building and parcel where nothing was planted."""
    by_kind: dict[str, dict[str, int]]


def _inside(points: PointCloud, bounds: BoundingBox) -> PointCloud:
    """Those in the half-open rectangle, in the order pulses were fired: by time, then return."""
    chosen = (
        (points.x >= bounds.min_x) & (points.x < bounds.max_x) & (points.y >= bounds.min_y) & (points.y < bounds.max_y)
    )
    kept = points.subset(chosen)
    return kept.subset(np.lexsort((kept.return_number, kept.gps_time)))


def score_ground(products: Iterable[tuple[BoundingBox, Path]], truth_points: Sequence[Path]) -> GroundErrors:
    """Compare the ground class of classified tiles with the true classes of the same returns.

    Args:
        products: Each tile's own rectangle and its classified point file.
        truth_points: The scene's point files with true classes.
    """
    extents = [(record.path, record.bounds) for record in scan(truth_points)]
    predicted: list[NDArray[np.bool_]] = []
    true: list[NDArray[np.bool_]] = []
    for bounds, path in products:
        near = [file for file, extent in extents if extent is not None and extent.intersects(bounds)]
        made = _inside(read_many([path]), bounds)
        given = _inside(read_many(near, bounds=bounds), bounds)
        if not np.array_equal(made.gps_time, given.gps_time):
            raise DiabaError(f"{path} does not hold the points of its tile: {len(made)} against {len(given)}")
        predicted.append(made.classification == Class.GROUND)
        true.append(given.classification == Class.GROUND)
    return ground_errors(np.concatenate(predicted), np.concatenate(true))


def score_terrain(dtms: Iterable[Raster], truth: Path, land_cover: Path) -> dict[str, dict[str, float]]:
    """RMSE, mean error and share of cells without a value, by land cover, and over all cells.

    Returns:
        Land cover → {"rmse_m", "mean_m", "empty", "cells"}; the key "all" holds every cell of the scene.
    """
    true, cover = read_raster(truth), read_raster(land_cover)
    errors: list[NDArray[np.float32]] = []
    covers: list[NDArray[np.float32]] = []
    for dtm in dtms:
        x, y = np.meshgrid(*dtm.grid.centres())
        expected = true.at(x.ravel(), y.ravel())
        known = ~np.isnan(expected)
        errors.append((dtm.values.ravel() - expected)[known])
        covers.append(cover.at(x.ravel(), y.ravel())[known])
    error, code = np.concatenate(errors), np.concatenate(covers)
    groups = {name: code == number for number, name in CELLS_OF.items()} | {"all": np.ones(len(error), dtype=bool)}
    return {name: _summary(error[mask]) for name, mask in groups.items() if mask.any()}


def _summary(error: NDArray[np.float32]) -> dict[str, float]:
    filled = error[~np.isnan(error)].astype(np.float64)
    return {
        "rmse_m": float(np.sqrt(np.mean(filled**2))) if filled.size else float("nan"),
        "mean_m": float(filled.mean()) if filled.size else float("nan"),
        "empty": 1.0 - filled.size / error.size,
        "cells": float(error.size),
    }


def score_heights(measured: gpd.GeoDataFrame, truth: Path) -> dict[str, float]:
    """Height errors of measured buildings (columns `uid`, `height`, geometry) against the true ones.

    A building is matched by its identity; an outline from points by the true building with which it shares at least
    half of their union (a podium alone is not the tower it belongs to).
    """
    true = gpd.read_file(truth, layer="buildings").set_index("uid")
    by_uid = true["height"].to_dict()
    area = true.area.to_dict()
    overlaps = gpd.overlay(measured[["uid", "geometry"]], true.reset_index()[["uid", "geometry"]], keep_geom_type=True)
    overlaps["shared"] = overlaps.area
    best = overlaps.sort_values("shared").groupby("uid_1").last()
    errors = []
    for uid, height, own in zip(measured["uid"], measured["height"], measured.area, strict=True):
        if uid in by_uid:
            errors.append(height - by_uid[uid])
        elif uid in best.index:
            other, shared = best.loc[uid, "uid_2"], best.loc[uid, "shared"]
            if shared >= 0.5 * (own + area[other] - shared):
                errors.append(height - by_uid[other])
    error = np.asarray(errors, dtype=np.float64)
    error = error[~np.isnan(error)]
    return {
        "height_rmse_m": float(np.sqrt(np.mean(error**2))),
        "height_median_m": float(np.median(error)),
        "height_p95_m": float(np.percentile(np.abs(error), 95)),
        "matched": len(error),
    }


def score_differences(flagged: Sequence[Difference], truth: Path) -> DifferenceScore:
    """Count the planted differences that were flagged, and the flagged ones where nothing was planted.

    Only of the kinds that the truth lists: what follows from them, as a wall in a road's reserve, is nowhere planted.
    """
    planted = json.loads(truth.read_text(encoding="utf-8"))["differences"]
    places = {(d.kind.value, key) for d in flagged for key in (d.building_uid, d.parcel_uid) if key}
    where_planted = {key for p in planted for key in (p["building_uid"], p["parcel_uid"]) if key}
    kinds = sorted({p["kind"] for p in planted})
    by_kind = {}
    for kind in kinds:
        of_kind = [p for p in planted if p["kind"] == kind]
        hit = [p for p in of_kind if {(kind, p["building_uid"]), (kind, p["parcel_uid"])} & places]
        wrong = [
            d
            for d in flagged
            if d.kind == kind and d.building_uid not in where_planted and d.parcel_uid not in where_planted
        ]
        by_kind[kind] = {"planted": len(of_kind), "found": len(hit), "false": len(wrong)}
    return DifferenceScore(
        planted=sum(k["planted"] for k in by_kind.values()),
        found=sum(k["found"] for k in by_kind.values()),
        false=sum(k["false"] for k in by_kind.values()),
        by_kind=by_kind,
    )
