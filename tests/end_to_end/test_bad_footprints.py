"""Outlines of every bad kind in one run of `diaba lidar buildings`: each gets a model or a reason, none ends it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import Polygon, affinity, box

from api.cli.main import run

from .test_odd_input import EAST, NORTH, Columns, plain, written

HOUSE = box(14, 15, 26, 25)
"""Of the points of `plain`, from their corner."""
FEW = {"one point": 1, "five points": 5, "twenty points": 20}
"""Points, 6 m up, over squares of 4 m in a row south of the house."""


def star(corners: int) -> Polygon:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    wave = 9 * (1 + 0.05 * np.sin(90 * angles))
    return Polygon(np.column_stack([20 + wave * np.cos(angles), 20 + wave * np.sin(angles)]))


BAD: dict[str, Polygon] = {
    "with a hole": Polygon(HOUSE.exterior, [box(18, 18, 21, 21).exterior]),
    "self-crossing": Polygon([(14, 15), (26, 25), (26, 15), (14, 25)]),
    "the house again": HOUSE,
    "corners twice": Polygon([(14, 15), (14, 15), (26, 15), (26, 25), (26, 25), (14, 25)]),
    "three corners": Polygon([(14, 15), (26, 15), (26, 25)]),
    "ten thousand corners": star(10_000),
    "no area": Polygon([(14, 15), (20, 15), (26, 15)]),
    "outside the points": box(500, 500, 510, 510),
    "a hectare of ten": box(-140, -140, 180, 180),
    "no points": box(0.5, 0.5, 4.5, 4.5),
    "in the water": box(30, 30, 38, 38),
    **{name: box(6.0 * k, 6.0, 6.0 * k + 4.0, 10.0) for k, name in enumerate(FEW, 1)},
}
LEFT_OUT = {"no area"}


def scanned() -> Columns:
    """The plain house; a bird 500 m over it, a pond without returns, a few points over small squares."""
    points = plain()
    x, y = points["x"] - EAST, points["y"] - NORTH
    inside = [(x > a) & (x < c) & (y > b) & (y < d) for a, b, c, d in (BAD[n].bounds for n in ("in the water", *FEW))]
    kept = ~np.any(inside, axis=0)
    random, sparse = np.random.default_rng(2), []
    for name, count in FEW.items():
        west, south, east, north = BAD[name].bounds
        x, y = random.uniform(west + 0.5, east - 0.5, count), random.uniform(south + 0.5, north - 0.5, count)
        sparse.append(np.column_stack([x, y, np.full(count, 8.0)]))
    xyz = np.concatenate([*sparse, [[20.0, 20.0, 508.0]]])
    columns = {name: np.concatenate([column[kept], column[: len(xyz)]]) for name, column in points.items()}
    for axis, origin, values in zip("xyz", (EAST, NORTH, 0.0), xyz.T, strict=True):
        columns[axis][-len(xyz) :] = values + origin
    return columns


def made(folder: Path, outlines: dict[str, Polygon], capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The city objects by their name, and what the command said under ""."""
    table, source, target = folder / "outlines.csv", folder / "points.laz", folder / "out.city.jsonl"
    with table.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["uid", "outline"])
        for uid, outline in outlines.items():
            writer.writerow([uid, f"SRID=9210;{shapely.to_wkt(affinity.translate(outline, EAST, NORTH), -1)}"])
    written(source, scanned())
    capfd.readouterr()
    assert run(["lidar", "buildings", str(source), str(target), "--footprints", str(table), "--json"]) == 0
    (document,) = json.loads("[" + capfd.readouterr().out + "]")
    header, *features = [json.loads(line) for line in target.read_text().splitlines()]
    corner, unit = header["transform"]["translate"], header["transform"]["scale"]
    objects = {}
    for feature in features:
        vertices = np.round(np.array(feature["vertices"]) * unit + corner, 4).tolist()
        objects.update({uid: (vertices, thing) for uid, thing in feature["CityObjects"].items()})
    return {"": document, **objects}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("all"), tmp_path_factory.mktemp("alone")


def test_a_run_with_every_bad_outline_ends_with_a_model_or_a_reason_for_each(
    folders: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    everything = made(folders[0], {"house": HOUSE, **BAD}, capfd)
    for uid in set(BAD) - LEFT_OUT:
        _, thing = everything[uid]
        lods = {geometry["lod"] for geometry in thing["geometry"] if geometry["type"] == "Solid"}
        assert lods or thing["attributes"]["reason"] != "none", uid
        assert ("2.2" in lods) == (thing["attributes"]["reason"] == "none"), uid
    told = " ".join(everything[""]["problems"])
    assert all(uid in told for uid in (*LEFT_OUT, "self-crossing"))
    for uid in ("outside the points", "in the water", "one point", "no points"):
        assert everything[uid][1]["attributes"]["reason"] in {"no_points", "few_points", "no_terrain"}, uid

    alone = made(folders[1], {"house": HOUSE}, capfd)
    for name in ("roof_height_max_m", "roof_height_70p_m"):
        assert alone["house"][1]["attributes"][name] < 10.0  # the bird is none of it
    # Walls are of the neighbours too, and where a map lies is told by all of a block's outlines.
    shared = {"area_party_wall_m2", "area_outer_wall_m2", "footprint_finding", "footprint_iou"}
    for _, thing in (everything["house"], alone["house"]):
        assert thing["attributes"]["footprint_shift_m"] == 0.0
        thing["attributes"] = {
            name: value
            for name, value in thing["attributes"].items()
            if name not in shared and not name.startswith("footprint_shift")
        }
    assert everything["house"] == alone["house"]
    vertices, again = everything["the house again"]
    assert (vertices, again["geometry"]) == (alone["house"][0], alone["house"][1]["geometry"])
