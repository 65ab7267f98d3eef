"""The demo's stages: a scene or real files, the registers, the build, the comparison, the score, the picture."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from sqlalchemy import Connection

from api.build import build
from api.compliance import run_compliance
from api.demo.dossiers import file_dossiers
from api.demo.map import VERDICTS, draw_map
from api.demo.truth import score_differences, score_ground, score_heights, score_terrain
from api.survey import add_files
from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.construction.compliance import Difference
from gis.crs import horizontal, name_of, srid
from gis.errors import BadCrs, DiabaError
from gis.raster import read_raster, read_window
from gis.settings import DEFAULT_CRS, City, Settings
from gis.store import buildings as building_register
from gis.store import catalog, footprints, parcels, registers
from gis.store.database import Database
from gis.store.fresh import make_demo
from lidar.footprints import read_footprints_for
from lidar.las.crs import in_metres
from lidar.las.file_crs import resolve_crs
from lidar.las.header import read_header

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


def run_demo(
    source: Source, city_name: str, settings: Settings, tell: Callable[[str], None], workers: int = 2
) -> dict[str, Any]:
    """Run the whole chain into a city of its own, made anew, and return the summary.

    Raises:
        Conflict: a city of that name exists and is no demo.
        BadInput: a file cannot be used, or does not say its CRS and none was given.
        StoreUnreachable: the database does not answer.
    """
    stages = Stages(tell)
    started = time.perf_counter()
    folder = settings.home / "cities" / city_name
    city = City(city_name, _crs_of(source) or DEFAULT_CRS, folder)
    with stages.stage("store", "store ready"):
        database = Database.of(city, settings)
        make_demo(database)
        for old in ("products", "scene"):
            shutil.rmtree(folder / old, ignore_errors=True)
        city.save()
    scene = None
    if not source.files:
        from lidar.scene.make import make_scene
        from lidar.scene.recipe import read_recipe

        scene = folder / "scene"
        with stages.stage("scene", f"scene made: {source.title}"):
            make_scene(
                scene,
                read_recipe(source.recipe),
                source.seed,
                density=source.density,
                progress=_tenths(tell),
            )
    with stages.stage("registers", "registers imported"), database.open(Role.WRITER) as connection:
        if scene is not None:
            registers.import_registers(connection, scene / "registers.gpkg")
            file_dossiers(connection, sorted(parcels.current(connection)["uid"])[:100])
        elif source.footprints is not None:
            _import_footprints(connection, source.footprints, city, source.crs)
    files = list(source.files) if scene is None else sorted((scene / "lidar").glob("*.laz"))
    with stages.stage("catalogue", f"{len(files)} point files catalogued"):
        add_files(database, city, files, EPOCH, crs=source.crs)
    with stages.stage("build", "terrain and buildings made"):
        made = build(
            database,
            city,
            EPOCH,
            workers=workers,
            on_tile=lambda done, total, key: tell(f"  tiles: {done} of {total} {key}".rstrip()),
        )
        if made.failed:
            raise DiabaError("; ".join(f"tile {key}: {why}" for key, why in made.failed.items()))
    with stages.stage("compliance", "registered and measured city compared"), database.open(Role.WRITER) as connection:
        flagged = run_compliance(connection, EPOCH)
    with stages.stage("score", "result scored"):
        summary = _summary(database, city, source, scene, flagged, made.points)
    with stages.stage("map", "map drawn"):
        _draw(database, city, source, flagged)
    stages.seconds["total"] = round(time.perf_counter() - started, 2)
    summary["points_per_s"] = round(made.points / max(stages.seconds["build"], 1e-9))
    summary["seconds"] = stages.seconds
    summary["map"] = str(folder / MAP)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=2, default=float), encoding="utf-8")
    return summary


def _tenths(tell: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Tells progress, ten times a task at the most."""
    told: dict[str, int] = {}

    def say(what: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if tenth > told.get(what, 0):
            told[what] = tenth
            tell(f"  {what}: {10 * tenth} %")

    return say


def _crs_of(source: Source) -> CRS | None:
    """The CRS the city of a demo with files has: that of the files, or the one given; None for a scene."""
    if not source.files:
        return None
    own = (in_metres(resolve_crs(read_header(file), source.crs))[0] for file in source.files)
    found = {name_of(crs): crs for crs in own}
    if len(found) > 1:
        raise BadCrs(
            f"the files are in several CRS ({', '.join(sorted(found))}); run the demo on one of them at a time"
        )
    return next(iter(found.values()))


def _import_footprints(connection: Connection, path: Path, city: City, unstated: CRS | None) -> None:
    outlines = read_footprints_for(path, city.crs, unstated)
    code = srid(city.crs)
    encoded = shapely.to_wkb(shapely.set_srid(outlines.polygons, code), hex=True, include_srid=True)
    footprints.save(
        connection,
        [
            {"uid": uid, "source": path.name, "survey_date": None, "geom": geom}
            for uid, geom in zip(outlines.uids, encoded, strict=True)
        ],
    )


@dataclass(frozen=True, slots=True)
class TileFiles:
    """A tile's own rectangle, its DTM and its classified points."""

    bounds: BoundingBox
    dtm: Path
    points: Path


def _tiles(connection: Connection, city: City) -> list[TileFiles]:
    dtms = catalog.rasters(connection, EPOCH, "dtm").set_index("tile_key")
    points = catalog.points(connection, EPOCH).set_index("tile_key")
    return [
        TileFiles(
            _box(row.geometry.bounds, city),
            city.folder / row.path,
            city.folder / points.loc[key, "path"],
        )
        for key, row in dtms.rename_geometry("geometry").iterrows()
    ]


def _summary(
    database: Database, city: City, source: Source, scene: Path | None, flagged: list[Difference], points: int
) -> dict[str, Any]:
    with database.open(Role.READER) as connection:
        tiles = _tiles(connection, city)
        measured = building_register.current(connection, EPOCH).rename_geometry("geometry")
        counts = registers.counts(connection)
    unknown = float("nan")
    summary: dict[str, Any] = {
        "source": source.title,
        "crs": name_of(city.crs),
        "points": points,
        "points_per_s": 0,
        "area_m2": float(_surveyed_area(tiles)),
        "ground": {"total_error": None},
        "dtm": {"rmse_open_m": None, "rmse_all_m": None},
        "buildings": {
            "count": len(measured),
            "derived": sum(a.get("footprint_source") == "derived" for a in measured["attributes"]),
            "with_solid": int((measured["lod"] != "0").sum()),
            "height_rmse_m": None,
            "height_median_m": float(np.nanmedian(measured["height"])) if len(measured) else unknown,
        },
        "parcels": {"count": counts["parcel"]},
        "permits": {"count": counts["permit"]},
        "differences": {"planted": None, "found": len(flagged), "false": None},
    }
    if scene is None:
        return summary
    truth = scene / "truth"
    ground = score_ground([(tile.bounds, tile.points) for tile in tiles], sorted((truth / "points").glob("*.laz")))
    terrain = score_terrain((read_raster(tile.dtm) for tile in tiles), truth / "dtm.tif", truth / "land_cover.tif")
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


def _box(bounds: Sequence[float], city: City) -> BoundingBox:
    west, south, east, north = (float(value) for value in bounds)
    return BoundingBox(west, south, east, north, horizontal(city.crs))


def _surveyed_area(tiles: list[TileFiles]) -> float:
    """m² of cells with a terrain height: a tile at the survey's edge is not full."""
    area = 0.0
    for tile in tiles:
        dtm = read_raster(tile.dtm)
        area += float(np.isfinite(dtm.values).sum()) * dtm.grid.resolution**2
    return area


def _draw(database: Database, city: City, source: Source, flagged: list[Difference]) -> None:
    with database.open(Role.READER) as connection:
        tiles = _tiles(connection, city)
        measured = building_register.current(connection, EPOCH).rename_geometry("geometry")
        lots = parcels.current(connection)
        files = catalog.tiles(connection, EPOCH)
    # A building may differ in several ways: the gravest gives its colour, in the order of the legend.
    verdict = {
        d.building_uid: d.kind.value for kind in reversed(tuple(VERDICTS)) for d in flagged if d.kind.value == kind
    }
    measured["verdict"] = [verdict.get(uid) for uid in measured["uid"]]
    shown = _box(files.total_bounds, city)
    # A small survey covers little of its tile: only that is shaded.
    terrain = (read_window(tile.dtm, shown) for tile in tiles)
    draw_map(
        city.folder / MAP,
        [window for window in terrain if window is not None],
        measured,
        lots,
        shown,
        f"diaba · {source.title} · {name_of(city.crs)}",
        verdicts_known=bool(len(lots)),
    )
