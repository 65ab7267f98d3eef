"""What the registers say: parcels, parties and rights, roads, planning zones, permits and the base map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from shapely import LineString

from lidar.scene.base_map import base_map
from lidar.scene.designs import Design
from lidar.scene.permits import make_permits
from lidar.scene.plots import Plan, Plot
from lidar.scene.randomness import stream
from lidar.scene.recipe import Recipe
from lidar.scene.rows import Row, day
from lidar.scene.rules import density_pct, most_floors
from lidar.scene.shapes import snapped
from lidar.scene.stock import Standing, parcel_uid

LAND_USES = {
    "tower": "TMD",
    "apartments": "ODT",
    "school_l": "DGD",
    "school_u": "DGD",
    "market": "TMD",
    "pagoda": "TON",
    "excavation": "TMD",
    "filled": "ODT",
    "unfilled": "CLN",
}
SITE_FLOORS = {"tower": 25, "apartments": 9, "school_l": 5, "school_u": 5}
SITE_DENSITY_PCT = 80.0
SURNAMES = ("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý")
MIDDLE = ("Văn", "Thị", "Minh", "Ngọc", "Thanh", "Quốc", "Kim", "Hữu", "Đức", "Mỹ")
GIVEN = (
    "An",
    "Bình",
    "Chi",
    "Dũng",
    "Giang",
    "Hà",
    "Hạnh",
    "Khoa",
    "Lan",
    "Linh",
    "Mai",
    "Nam",
    "Phúc",
    "Quỳnh",
    "Sơn",
    "Tâm",
    "Thảo",
    "Trung",
    "Vy",
    "Yến",
)


@dataclass(frozen=True, slots=True)
class Registers:
    """Layers of `registers.gpkg`; geometries in the scene frame under `geom`."""

    layers: Mapping[str, list[Row]]


def make_registers(plan: Plan, stock: list[Standing], empty: dict[int, Design], recipe: Recipe, seed: int) -> Registers:
    """Write all registers."""
    parties, rights = _parties(plan, seed)
    return Registers(
        {
            "parcels": [_parcel(k, plot, recipe, seed) for k, plot in enumerate(plan.plots)],
            "parties": parties,
            "rights": rights,
            "roads": [_road(s.uid, s.name, s.reserve_m, s.axis) for s in plan.streets],
            "planning_zones": _zones(plan),
            "permits": make_permits(stock, empty, seed),
            "footprints": base_map(stock, empty, recipe, seed),
        }
    )


def _parcel(index: int, plot: Plot, recipe: Recipe, seed: int) -> Row:
    rng = stream(seed, "parcel", index)
    area = plot.polygon.area
    centre = plot.polygon.centroid
    sheet = 1 + int(centre.x // 100) + 10 * int(centre.y // 100)
    return {
        "uid": parcel_uid(index),
        "ward_code": recipe.extent.ward_code,
        "sheet_no": str(sheet),
        "parcel_no": str(index + 1),
        "land_use": LAND_USES.get(plot.kind, "ODT"),
        "area_legal": round(area + float(rng.normal(0, 0.004)) * area, 1),
        "address": f"{index + 1} {plot.street.name}, {recipe.extent.ward_name}",
        "valid_from": day(float(rng.random()), date(1998, 1, 1), date(2014, 1, 1)).isoformat(),
        "geom": plot.polygon,
    }


def _parties(plan: Plan, seed: int) -> tuple[list[Row], list[Row]]:
    """Invented owners: one, a couple with halves, or an organisation on the larger sites."""
    parties: list[Row] = []
    rights: list[Row] = []

    def add(kind: str, name: str, id_no: str) -> str:
        uid = f"o-{len(parties) + 1:06d}"
        parties.append({"uid": uid, "kind": kind, "name": f"{name} (hư cấu)", "id_no": id_no})
        return uid

    for index, plot in enumerate(plan.plots):
        rng = stream(seed, "owner", index)
        since = day(float(rng.random()), date(2000, 1, 1), date(2020, 1, 1)).isoformat()
        if plot.kind not in ("house", "shop", "villa"):
            owners = [add("organisation", f"Đơn vị thử nghiệm số {index + 1}", f"00{int(rng.integers(10**7, 10**8))}")]
        else:
            owners = []
            for _ in range(2 if rng.random() < 0.35 else 1):
                words = [str(rng.choice(part)) for part in (SURNAMES, MIDDLE, GIVEN)]
                owners.append(add("person", " ".join(words), f"000{int(rng.integers(10**8, 10**9))}"))
        rights += [
            {
                "parcel_uid": parcel_uid(index),
                "party_uid": owner,
                "type": "land_use_right",
                "share_num": 1,
                "share_den": len(owners),
                "valid_from": since,
            }
            for owner in owners
        ]
    return parties, rights


def _road(uid: str, name: str, reserve: float, axis: LineString) -> Row:
    return {"uid": uid, "name": name, "reserve_width_m": reserve, "valid_from": "2010-01-01", "geom": axis}


def _zones(plan: Plan) -> list[Row]:
    """One zone a block, after its widest street."""
    rows = []
    of_block: dict[int, list[Plot]] = {}
    for plot in plan.plots:
        of_block.setdefault(plot.block, []).append(plot)
    for index, plots in sorted(of_block.items()):
        block = plan.blocks[index]
        kind = plots[0].kind
        reserve = max(plot.street.reserve_m for plot in plots)
        floors = SITE_FLOORS.get(kind, most_floors(reserve))
        rows_of_houses = kind in ("house", "shop", "villa")
        density = density_pct(min(p.polygon.area for p in plots)) if rows_of_houses else SITE_DENSITY_PCT
        rows.append(
            {
                "uid": f"z-{index + 1:05d}",
                "level": "detailed",
                "land_use": LAND_USES.get(kind, "ODT"),
                "density_pct": round(density, 1),
                "far": round(density / 100 * floors, 2),
                "floors_max": floors,
                "height_max_m": round(floors * 4.0 + 5.0, 1),
                "decision": f"{100 + index}/QĐ-TN (hư cấu)",
                "valid_from": "2012-06-01",
                "geom": snapped(block),
            }
        )
    return rows
