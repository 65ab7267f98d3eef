"""The demo's stages: a scene or real files, the registers, the build, the comparison, the score, the picture."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from pyproj import CRS

from api.build import BuildParameters, add_files, build
from api.compliance import run_compliance
from api.demo.map import draw_map
from api.demo.truth import score_differences, score_ground, score_heights, score_terrain
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.construction.compliance import Difference
from gis.crs import horizontal, name_of
from gis.errors import BadCrs, DiabaError
from gis.raster import read_raster
from gis.settings import City, Settings
from gis.store import buildings as building_register
from gis.store import catalog, footprints, parcels, registers
from gis.store.database import Database
from lidar.read import read_header

EPOCH = "demo"
MAP = "map.png"
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class Source:
    """What the demo is made of: a recipe with a seed, or files."""

    recipe: str = "ward"
    seed: int = 1
    density: float | None = None
    files: tuple[Path, ...] = ()
    footprints: Path | None = None
    crs: CRS | None = None

    @property
    def title(self) -> str:
        """For people."""
        if not self.files:
            return f"simulated {self.recipe}, seed {self.seed}"
        return ", ".join(file.name for file in self.files[:3]) + (" …" if len(self.files) > 3 else "")


@dataclass
class Stages:
    """Runs the stages in order, tells what goes on, and keeps the time of each."""

    tell: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, doing: str) -> Iterator[None]:
        """Time one stage; tells its end with the time it took."""
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)
        self.tell(f"{doing} ({self.seconds[name]:.1f} s)")


def run_demo(source: Source, city_name: str, settings: Settings, tell: Callable[[str], None], workers: int = 2) -> dict[str, Any]:
    """Run the whole chain into a city of its own, made anew, and return the summary.

    Raises:
        Conflict: a city of that name exists and is no demo.
        BadInput: a file cannot be used, or does not say its CRS and none was given.
        StoreUnreachable: the database does not answer.
    """
    stages = Stages(tell)
    started = time.perf_counter()
    folder = settings.home / "cities" / city_name
    crs, checked = _crs_of(source), None
    city = City(city_name, crs, folder) if crs is not None else settings.city(city_name)
    with stages.stage("store", "store ready"):
        database = Database.of(city, settings, start=True)
        database.recreate_demo()
        for old in ("products", "scene"):
            shutil.rmtree(folder / old, ignore_errors=True)
        city.save()
    scene = None
    if not source.files:
        from lidar.scene import make_scene

        scene = folder / "scene"
        with stages.stage("scene", f"scene made: {source.title}"):
            make_scene(scene, recipe=source.recipe, seed=source.seed, density=source.density)
    with stages.stage("registers", "registers imported"), database.open(Role.WRITER) as connection:
        if scene is not None:
            registers.import_registers(connection, scene / "registers.gpkg")
        elif source.footprints is not None:
            _import_footprints(connection, source.footprints, city)
    files = list(source.files) or sorted((scene / "lidar").glob("*.laz"))  # type: ignore[operator]
    with stages.stage("catalogue", f"{len(files)} point files catalogued"):
        records = add_files(database, city, files, EPOCH, crs=source.crs)
    with stages.stage("build", "terrain and buildings made"):
        made = build(
            database,
            city,
            EPOCH,
            workers=workers,
            on_tile=lambda done, total, key: tell(f"  tile {done} of {total}: {key}"),
        )
        if made.failed:
            raise DiabaError("; ".join(f"tile {key}: {why}" for key, why in made.failed.items()))
    with stages.stage("compliance", "registered and measured city compared"), database.open(Role.WRITER) as connection:
        flagged = run_compliance(connection, EPOCH)
    with stages.stage("score", "result scored"):
        summary = _summary(database, city, source, scene, flagged, records_points=made.points)
    with stages.stage("map", "map drawn"):
        _draw(database, city, source, flagged)
    stages.seconds["total"] = round(time.perf_counter() - started, 2)
    summary["points_per_s"] = round(made.points / max(stages.seconds["build"], 1e-9))
    summary["seconds"] = stages.seconds
    summary["map"] = str(folder / MAP)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2, default=float), encoding="utf-8")
    return summary


def _crs_of(source: Source) -> CRS | None:
    """The CRS the city of a demo with files has: that of the files, or the one given; None for a scene."""
    from lidar.read import crs_of

    if not source.files:
        return None
    found = {name_of(crs): crs for crs in (crs_of(file, source.crs) for file in source.files)}
    if len(found) > 1:
        raise BadCrs(f"the files are in several CRS ({', '.join(sorted(found))}); run the demo on one of them at a time")
    return next(iter(found.values()))


def _import_footprints(connection: Any, path: Path, city: City) -> None:
    from gis.store.footprints import save
    from lidar.footprints import read_footprints

    outlines = read_footprints(path, to=horizontal(city.crs))
    save(connection, gpd.GeoDataFrame({"uid": outlines.uids}, geometry=list(outlines.polygons), crs=outlines.crs), path.name)


def _dtms(database: Database) -> list[tuple[BoundingBox, Path, Path]]:
    """Each tile's own rectangle, its DTM and its classified points."""
    with database.open(Role.READER) as connection:
        rows = catalog.products(connection, EPOCH)
    return [(row.bounds, Path(row.paths["dtm"]), Path(row.paths["points"])) for row in rows]


def _summary(
    database: Database, city: City, source: Source, scene: Path | None, flagged: list[Difference], records_points: int
) -> dict[str, Any]:
    tiles = _dtms(database)
    with database.open(Role.READER) as connection:
        measured = building_register.current(connection, EPOCH)
        counts = registers.counts(connection)
    unknown = float("nan")
    summary: dict[str, Any] = {
        "source": source.title,
        "crs": name_of(city.crs),
        "points": records_points,
        "points_per_s": 0,
        "area_m2": float(sum(bounds.area for bounds, _, _ in tiles)),
        "ground": {"total_error": None},
        "dtm": {"rmse_open_m": None, "rmse_all_m": None},
        "buildings": {
            "count": len(measured),
            "derived": int((measured["source"] == "derived").sum()),
            "with_solid": int((measured["lod"] != "0").sum()),
            "height_rmse_m": None,
            "height_median_m": float(np.nanmedian(measured["height"])) if len(measured) else unknown,
        },
        "parcels": {"count": counts.get("parcels", 0)},
        "permits": {"count": counts.get("permits", 0)},
        "differences": {"planted": None, "found": len(flagged), "false": None},
    }
    if scene is None:
        return summary
    truth = scene / "truth"
    ground = score_ground([(b, p) for b, _, p in tiles], sorted((truth / "points").glob("*.laz")))
    terrain = score_terrain((read_raster(dtm) for _, dtm, _ in tiles), truth / "dtm.tif", truth / "land_cover.tif")
    heights = score_heights(measured, truth / "buildings.gpkg")
    score = score_differences(flagged, truth / "differences.json")
    summary["ground"] = {
        "total_error": ground.total,
        "type_i": ground.type_i,
        "type_ii": ground.type_ii,
        "kappa": ground.kappa,
    }
    summary["dtm"] = {
        "rmse_open_m": terrain["open"]["rmse_m"],
        "rmse_all_m": terrain["all"]["rmse_m"],
        "by_land_cover": terrain,
    }
    summary["buildings"].update(heights)
    summary["differences"] = {
        "planted": score.planted,
        "found": score.found,
        "false": score.false,
        "by_kind": score.by_kind,
    }
    return summary


def _draw(database: Database, city: City, source: Source, flagged: list[Difference]) -> None:
    tiles = _dtms(database)
    with database.open(Role.READER) as connection:
        measured = building_register.current(connection, EPOCH)
        lots = parcels.current(connection)
    # A building may differ in several ways: the gravest gives its colour, in the order of the legend.
    from api.demo.map import VERDICTS

    verdict = {d.building_uid: d.kind.value for kind in reversed(VERDICTS) for d in flagged if d.kind.value == kind}
    measured["verdict"] = [verdict.get(uid) for uid in measured["uid"]]
    bounds = tiles[0][0]
    for other, _, _ in tiles[1:]:
        bounds = bounds.union(other)
    draw_map(
        city.folder / MAP,
        [read_raster(dtm) for _, dtm, _ in tiles],
        measured,
        lots,
        bounds,
        f"diaba · {source.title} · {name_of(city.crs)}",
        verdicts_known=bool(len(lots)),
    )
