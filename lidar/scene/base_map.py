"""The base map's footprints: surveyed with an error, some years old."""

from __future__ import annotations

from numpy.random import Generator
from shapely import Polygon
from shapely.affinity import translate

from lidar.scene.designs import Design
from lidar.scene.randomness import stream
from lidar.scene.recipe import Recipe
from lidar.scene.rows import Row
from lidar.scene.shapes import snapped
from lidar.scene.stock import Standing

SURVEYED = "2023-06-30"


def base_map(stock: list[Standing], empty: dict[int, Design], recipe: Recipe, seed: int) -> list[Row]:
    """Footprints as the base map has them: shifted, some missing, some of houses that are gone."""
    wanted = recipe.planted
    rows: list[Row] = []
    for standing in stock:
        rng = stream(seed, "base map", standing.plot)
        newest = standing.look_alike == "missing_footprint" or standing.built.status == "under_construction"
        unpermitted = standing.difference == "no_permit" and rng.random() < 0.6
        if newest or unpermitted or rng.random() < wanted.footprint_missing_share:
            continue
        rows.append(_row(standing.uid, surveyed(standing.footprint, wanted.footprint_sigma_m, rng)))
    for plot, design in empty.items():
        rng = stream(seed, "demolished", plot)
        if rng.random() < wanted.demolished_share:
            rows.append(_row(f"b-{plot + 1:06d}-gone", surveyed(design.polygon, wanted.footprint_sigma_m, rng)))
    return rows


def _row(uid: str, polygon: Polygon) -> Row:
    return {"uid": uid, "source": "base_map_1_500", "survey_date": SURVEYED, "geom": polygon}


def surveyed(polygon: Polygon, sigma: float, rng: Generator) -> Polygon:
    """Moved as a whole by 0.8 σ, and each corner by 0.6 σ, so that a corner's error is σ in each axis."""
    dx, dy = rng.normal(0.0, 0.8 * sigma, 2)
    moved = translate(polygon, float(dx), float(dy))
    rings = []
    for ring in (moved.exterior, *moved.interiors):
        coords = [
            (x + float(rng.normal(0, 0.6 * sigma)), y + float(rng.normal(0, 0.6 * sigma))) for x, y in ring.coords[:-1]
        ]
        rings.append(coords)
    made = Polygon(rings[0], rings[1:])
    return snapped(made) if made.is_valid else snapped(moved)
