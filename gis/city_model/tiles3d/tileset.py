"""Tilesets (3D Tiles 1.1, 7): the tree of tiles with what each covers, written down square by square.

The tree is explicit and nested: a tileset of the city names those of its squares of 4 km that have buildings, each of
these a tileset of its own. So a tile says how far its buildings really reach, over its edge and upwards, empty squares
cost nothing, and a building that changes touches one small document. Implicit tiling would cut all of this out of one
box, and the availability of tiles would have to be kept beside the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import radians
from typing import Any, Final

import numpy as np
from pyproj import CRS

from gis.bounds import BoundingBox
from gis.city_model.tiles3d.levels import LEVELS, ROOT_ERROR, Address
from gis.crs import WGS84, CrsLike, horizontal, transformer, vertical_label

REFINE: Final = "REPLACE"
MARGIN: Final = 0.5
"""Metres around the footprints and heights: edges of squares are bent, and models may stand over their outline."""


@dataclass(frozen=True, slots=True)
class Covered:
    """How far the buildings of a square reach."""

    bounds: BoundingBox
    """In the city's CRS."""
    low: float
    high: float
    """Metres above the vertical datum."""
    tallest: float
    """Metres above ground."""


@dataclass(frozen=True, slots=True)
class Datum:
    """The city's CRS and what lies between its heights and the ellipsoid's."""

    crs: CrsLike
    geoid_offset: float

    @property
    def horizontal(self) -> CRS:
        """The CRS on the map."""
        return horizontal(self.crs)

    def described(self) -> dict[str, Any]:
        """For `asset.extras`."""
        offset = self.geoid_offset
        taken = f"lie {offset:g} m above" if offset > 0 else f"lie {-offset:g} m below" if offset else "are taken as"
        return {
            "vertical_datum": vertical_label(self.crs),
            "geoid_offset_m": offset,
            "heights": f"Heights of the datum {taken} heights above the ellipsoid of WGS 84"
            + ("." if offset else ": no geoid model is applied."),
        }

    def region(self, bounds: BoundingBox, low: float, high: float) -> dict[str, Any]:
        """Bounding volume of a box of the city's CRS."""
        return self.regions([(bounds, low, high)])[0]

    def regions(self, boxes: Sequence[tuple[BoundingBox, float, float]]) -> list[dict[str, Any]]:
        """Bounding volumes: west, south, east, north in radians, lowest and highest metres above the ellipsoid."""
        corners = np.array(
            [
                [(x, y) for x in (b.min_x - MARGIN, (b.min_x + b.max_x) / 2, b.max_x + MARGIN)
                 for y in (b.min_y - MARGIN, (b.min_y + b.max_y) / 2, b.max_y + MARGIN)]
                for b, _, _ in boxes
            ]
        ).reshape(-1, 2)  # fmt: skip
        lon, lat = transformer(self.crs, WGS84).transform(corners[:, 0], corners[:, 1])
        lon, lat = np.reshape(lon, (-1, 9)), np.reshape(lat, (-1, 9))
        sides = np.column_stack([lon.min(axis=1), lat.min(axis=1), lon.max(axis=1), lat.max(axis=1)]).tolist()
        return [
            {
                "region": [
                    *(radians(side) for side in four),
                    round(low + self.geoid_offset - MARGIN, 3),
                    round(high + self.geoid_offset + MARGIN, 3),
                ]
            }
            for four, (_, low, high) in zip(sides, boxes, strict=True)
        ]


def city_tileset(
    datum: Datum,
    districts: Sequence[tuple[Address, BoundingBox]],
    low: float,
    high: float,
    uri: Callable[[Address], str],
) -> dict[str, Any]:
    """The tileset of the whole city.

    Args:
        datum: the city's.
        districts: squares of level 0 with how far their buildings may reach.
        low: metres; of all buildings.
        high: as well.
        uri: address of a square's tileset.
    """
    volumes = datum.regions([(bounds, low, high) for _, bounds in districts]) if districts else []
    children = [
        {
            "boundingVolume": volume,
            "geometricError": LEVELS[0].geometric_error,
            "content": {"uri": uri(address)},
        }
        for (address, _), volume in zip(districts, volumes, strict=True)
    ]
    root: dict[str, Any] = {
        "boundingVolume": around(volumes),
        "geometricError": ROOT_ERROR,
        "refine": REFINE,
        # A list without members is not allowed.
        **({"children": children} if children else {}),
    }
    return document(datum, root, ROOT_ERROR)


def district_tileset(
    datum: Datum, district: Address, leaves: Mapping[Address, Covered], uri: Callable[[Address], str]
) -> dict[str, Any]:
    """The tileset of a square of level 0: all its squares that hold buildings.

    Args:
        datum: the city's.
        district: the square.
        leaves: squares of the lowest level with what they hold.
        uri: address of a tile's content.
    """
    known: dict[Address, Covered] = dict(leaves)
    layer = dict(leaves)
    while layer and next(iter(layer)).z > district.z:
        above: dict[Address, Covered] = {}
        for address, one in layer.items():
            above[address.parent] = _both(above.get(address.parent), one)
        known |= above
        layer = above
    if not known:
        root = {"boundingVolume": _NOWHERE, "geometricError": 0.0, "refine": REFINE}
        return document(datum, root, LEVELS[0].geometric_error)
    order = sorted(known)
    volumes = dict(zip(order, datum.regions([_box(known[address]) for address in order]), strict=True))
    below: dict[Address, list[Address]] = {}
    for address in order:
        if address.z > district.z:
            below.setdefault(address.parent, []).append(address)

    def tile(address: Address) -> dict[str, Any]:
        made: dict[str, Any] = {"boundingVolume": volumes[address], "geometricError": address.level.geometric_error}
        if address == district:
            made["refine"] = REFINE
        least = address.level.least_height
        if least <= 0 or known[address].tallest >= least:
            made["content"] = {"uri": uri(address)}
        if children := below.get(address):
            made["children"] = [tile(child) for child in children]
        return made

    return document(datum, tile(district), LEVELS[0].geometric_error)


_NOWHERE: Final = {"sphere": [0.0, 0.0, 0.0, 0.0]}
"""Of a tileset without buildings."""


def document(
    datum: Datum, root: dict[str, Any], error: float, extras: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A tileset of that root, with what it is without it, in metres."""
    return {
        "asset": {"version": "1.1", "extras": {**datum.described(), **(extras or {})}},
        "geometricError": error,
        "root": root,
    }


def _box(one: Covered) -> tuple[BoundingBox, float, float]:
    return one.bounds, one.low, one.high


def _both(one: Covered | None, other: Covered) -> Covered:
    if one is None:
        return other
    return Covered(
        one.bounds.union(other.bounds),
        min(one.low, other.low),
        max(one.high, other.high),
        max(one.tallest, other.tallest),
    )


def around(volumes: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, Any]:
    """The region around regions; a place within the earth where there are none."""
    if not volumes:
        return _NOWHERE
    table = np.array([volume["region"] for volume in volumes])
    low, high = table.min(axis=0), table.max(axis=0)
    return {"region": [*low[:2].tolist(), *high[2:4].tolist(), float(low[4]), float(high[5])]}
