"""A city of four measured tiles in two campaigns, with all rasters, classified points and survey files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from gis.access.roles import Role
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.files import sha256
from gis.raster import Raster, write_cog
from gis.store import catalog, runs
from gis.store.catalog import LidarTile, PointProduct, RasterProduct
from gis.store.runs import PlannedTile
from lidar.point_cloud import PointCloud
from lidar.write_copc import write_points
from tests.api.conftest import CityStore, terrain
from tests.gis.store_samples import EAST, NORTH

SIDE = 100.0
TILES = {f"x{i}_y{j}": (EAST + SIDE * i, NORTH + SIDE * j) for i in (0, 1) for j in (0, 1)}
OLD, NEW = "2012", "2025"
SUNK = 0.25
"""Metres by which the ground was higher in the older campaign."""
HOLE = (EAST + 150.0, NORTH + 50.0)
"""Middle of a square of 4 m where the newer campaign knows nothing."""
ROOF = 6.0
"""Height of all that stands on the ground, in the south-western tile alone."""
POINTS = 6_000


def box_of(key: str, store: CityStore) -> BoundingBox:
    """What a tile covers."""
    west, south = TILES[key]
    return BoundingBox(west, south, west + SIDE, south + SIDE, horizontal(store.city.crs))


def ground(key: str, epoch: str, store: CityStore) -> Raster:
    """The terrain of a tile in a campaign, with its standard deviation."""
    raster = terrain(box_of(key, store))
    values = raster.values + (np.float32(SUNK) if epoch == OLD else np.float32(0))
    x, y = np.meshgrid(*raster.grid.centres())
    if epoch == NEW:
        values = np.where(np.maximum(abs(x - HOLE[0]), abs(y - HOLE[1])) < 2, np.float32(np.nan), values)
    sigma = np.float32(0.1 if epoch == OLD else 0.05) + np.zeros_like(values)
    return Raster(values, raster.grid, {"sigma": np.where(np.isnan(values), np.float32(np.nan), sigma)})


def above(key: str, store: CityStore) -> Raster:
    """Height above the ground."""
    raster = terrain(box_of(key, store))
    return Raster(np.full(raster.grid.shape, ROOF if key == "x0_y0" else 0.0, np.float32), raster.grid)


def points(key: str, store: CityStore) -> PointCloud:
    """Points on the ground of a tile."""
    random = np.random.default_rng(7)
    west, south = TILES[key]
    x, y = np.round(west + random.uniform(0, SIDE, POINTS), 2), np.round(south + random.uniform(0, SIDE, POINTS), 2)
    z = np.round(1.0 + 0.01 * (x - EAST), 3)
    return PointCloud.from_xyz(x, y, z, store.city.crs, classification=np.full(POINTS, 2, np.uint8))


def measure(store: CityStore) -> None:
    """Write the files and enter them into the catalogue; the older campaign has the two western tiles only."""
    for epoch, flown in ((OLD, date(2012, 3, 1)), (NEW, date(2025, 2, 1))):
        keys = [key for key in TILES if epoch == NEW or key.startswith("x0")]
        with store.database.open(Role.WRITER) as connection:
            catalog.save_campaign(connection, epoch, flown, flown.replace(day=20))
            runs.plan(connection, epoch, [PlannedTile(key, box_of(key, store), epoch * 8) for key in keys])
            for key in keys:
                runs.claim(connection, key, epoch)
                rasters, copc = _products(store, key, epoch)
                runs.save_tile(connection, key, epoch, rasters=rasters, points=copc, buildings=[], statistics={})
            survey = store.city.folder / f"survey-{epoch}.laz"
            survey.write_bytes(
                (store.city.folder / _folder(keys[0], epoch) / "points.copc.laz").read_bytes() + epoch.encode()
            )
            bounds = box_of(keys[0], store)
            tile = LidarTile(sha256(survey), str(survey), POINTS, "EPSG:9210+5727", bounds, 0.6, {2: POINTS})
            catalog.save_tiles(connection, epoch, [tile])


def _folder(key: str, epoch: str) -> Path:
    return Path("products", epoch, key)


def _products(store: CityStore, key: str, epoch: str) -> tuple[list[RasterProduct], PointProduct]:
    dtm, ndsm = ground(key, epoch, store), above(key, store)
    dsm = Raster(dtm.values + ndsm.values, dtm.grid)
    made = []
    for product, raster in (("dtm", dtm), ("dsm", dsm), ("ndsm", ndsm)):
        path = _folder(key, epoch) / f"{product}.tif"
        write_cog(raster, store.city.folder / path, name=product, crs=store.city.crs)
        digest = sha256(store.city.folder / path)
        made.append(RasterProduct(product, str(path), digest, 0.5, box_of(key, store)))  # type: ignore[arg-type]
    path = _folder(key, epoch) / "points.copc.laz"
    write_points(points(key, store), store.city.folder / path)
    digest = sha256(store.city.folder / path)
    return made, PointProduct(str(path), digest, POINTS, box_of(key, store), {2: POINTS})
