"""Small registers and buildings, invented, for the tests of the store."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyogrio
from shapely import LineString, Polygon, box

from gis.city_model.building import Building, Face, Reason, Solid, Surface
from gis.store.cluster import Cluster
from gis.store.postmaster import Postmaster


def remove_cluster(home: Path) -> None:
    """Stop a home's cluster and delete all it made."""
    cluster = Cluster(home)
    # Nothing of it is kept, so that no checkpoint need be waited for.
    Postmaster(cluster.data).end(signal.SIGQUIT, 30)
    data, socket = cluster.data, cluster.socket
    if not data.is_relative_to(home):
        shutil.rmtree(data.parent, ignore_errors=True)
    shutil.rmtree(socket, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


EAST, NORTH = 603_000.0, 1_191_000.0
"""A corner in Ho Chi Minh City, EPSG:9210."""


def block(west: float, south: float, width: float, depth: float, ground: float, roof: float) -> Solid:
    """A closed block."""
    east, north = west + width, south + depth
    corners = [
        (x, y, z) for z in (ground, roof) for x, y in ((west, south), (east, south), (east, north), (west, north))
    ]
    sides = [((i, (i + 1) % 4, (i + 1) % 4 + 4, i + 4)) for i in range(4)]
    faces = (
        Face(((0, 3, 2, 1),), Surface.GROUND),
        *(Face((side,), Surface.WALL) for side in sides),
        Face(((4, 5, 6, 7),), Surface.ROOF),
    )
    return Solid(np.array(corners), faces)


def courtyard(west: float, south: float, ground: float, roof: float) -> Solid:
    """A closed block of 20 m with a yard of 10 m: its floor and roof have holes."""
    outer, inner = block(west, south, 20, 20, ground, roof), block(west + 5, south + 5, 10, 10, ground, roof)
    faces = [Face(((0, 3, 2, 1), (8, 9, 10, 11)), Surface.GROUND)]
    faces += [Face(face.rings, Surface.WALL) for face in outer.faces[1:5]]
    faces += [Face((tuple(8 + i for i in reversed(face.rings[0])),), Surface.WALL) for face in inner.faces[1:5]]
    faces.append(Face(((4, 5, 6, 7), (15, 14, 13, 12)), Surface.ROOF))
    return Solid(np.vstack([outer.vertices, inner.vertices]), tuple(faces))


def building(number: int, *, height: float = 9.0, solid: bool = True, uid: str | None = None) -> Building:
    """A measured house of 5 m × 16 m, the number-th of a row."""
    west, south, ground = EAST + 6.0 * number, NORTH, 1.25
    return Building(
        uid=uid or f"b-{number:04d}",
        footprint=box(west, south, west + 5, south + 16),
        ground_height=ground,
        roof_height_min=ground + height - 1,
        roof_height_50p=ground + height,
        roof_height_70p=ground + height,
        roof_height_max=ground + height + 0.5,
        height=height,
        sigma_height=0.05 if solid else float("nan"),
        area=80.0,
        sigma_area=0.4,
        lod="1.2" if solid else "0",
        solid=block(west, south, 5, 16, ground, ground + height) if solid else None,
        point_count=800 if solid else 0,
        point_density=10.0,
        no_data_fraction=0.02,
        reason=Reason.NONE if solid else Reason.NO_POINTS,
        attributes={"planes": 1, "note": "nhà phố"},
    )


def lot(number: int, width: float = 5.0) -> Polygon:
    """The number-th lot of a row."""
    west = EAST + 6.0 * number
    return box(west, NORTH, west + width, NORTH + 20)


def register_layers(count: int = 12) -> dict[str, pd.DataFrame]:
    """The layers of a registers file, with `count` parcels."""
    numbers = range(count)
    crs = "EPSG:9210"
    parcels = geopandas.GeoDataFrame(
        {
            "uid": [f"p-{n:04d}" for n in numbers],
            "ward_code": "26734",
            "sheet_no": "12",
            "parcel_no": [str(n + 1) for n in numbers],
            "land_use": "ODT",
            "area_legal": 100.0,
            "address": [f"{n + 1} Đường Thử Nghiệm" for n in numbers],
            "valid_from": "2009-03-01",
        },
        geometry=[lot(n) for n in numbers],
        crs=crs,
    )
    parties = pd.DataFrame(
        {
            "uid": [f"o-{n:04d}" for n in numbers],
            "kind": "person",
            "name": [f"Nguyễn Thị {n} (hư cấu)" for n in numbers],
            "id_no": [f"079{n:09d}" if n % 5 else None for n in numbers],
        }
    )
    rights = pd.DataFrame(
        {
            "parcel_uid": [f"p-{n:04d}" for n in numbers],
            "party_uid": [f"o-{n:04d}" for n in numbers],
            "type": "ownership",
            "share_num": 1,
            "share_den": 1,
            "valid_from": "2009-03-01",
        }
    )
    roads = geopandas.GeoDataFrame(
        {"uid": ["r-1"], "name": ["Đường Thử Nghiệm"], "reserve_width_m": [12.0], "valid_from": ["2009-03-01"]},
        geometry=[LineString([(EAST, NORTH - 6), (EAST + 6 * count, NORTH - 6)])],
        crs=crs,
    )
    zones = geopandas.GeoDataFrame(
        {
            "uid": ["z-1"],
            "level": ["1/2000"],
            "land_use": ["ODT"],
            "density_pct": [80.0],
            "far": [4.0],
            "floors_max": [5],
            "height_max_m": [21.0],
            "decision": ["QĐ thử nghiệm"],
            "valid_from": ["2013-01-01"],
        },
        geometry=[box(EAST - 10, NORTH - 20, EAST + 6 * count + 10, NORTH + 40)],
        crs=crs,
    )
    permits = geopandas.GeoDataFrame(
        {
            "permit_no": [f"GPXD-{n:04d}" for n in numbers],
            "type": ["new" if n % 4 else "legacy" for n in numbers],
            "status": "valid",
            "issued": [f"201{n % 8}-05-17" if n % 4 else None for n in numbers],
            "expires": None,
            "superseded_by": None,
            "parcel_uid": [f"p-{n:04d}" for n in numbers],
            "use": "house",
            "floors": [3 if n % 4 else None for n in numbers],
            "basements": 0,
            "height_m": [11.6 if n % 4 else None for n in numbers],
            "ground_area_m2": 80.0,
            "gross_floor_area_m2": 240.0,
            "setback_front_m": 0.0,
            "setback_rear_m": 2.0,
            "ground_level_m": 0.3,
        },
        geometry=[lot(n).intersection(box(EAST, NORTH, EAST + 1e4, NORTH + 16)) for n in numbers],
        crs=crs,
    )
    footprints = geopandas.GeoDataFrame(
        {"uid": [f"b-{n:04d}" for n in numbers], "source": "base map", "survey_date": "2012-06-30"},
        geometry=[building(n).footprint for n in numbers],
        crs=crs,
    )
    return {
        "parcels": parcels,
        "parties": parties,
        "rights": rights,
        "roads": roads,
        "planning_zones": zones,
        "permits": permits,
        "footprints": footprints,
    }


def write_registers(path: Path, layers: dict[str, pd.DataFrame] | None = None) -> Path:
    """Write the layers as one GeoPackage."""
    for name, frame in (layers or register_layers()).items():
        options: dict[str, Any] = {"layer": name, "driver": "GPKG", "append": path.exists()}
        pyogrio.write_dataframe(frame, path, **options)
    return path
