"""The layers of the vector tiles: which rows, which of their columns, at which zoom.

Near, a tile shows parcels and buildings one by one. Far, it would show more of them than a screen has dots: parcels
become blocks and then wards, buildings built-up areas beside which the large ones stay. What stands for others says for
how many. Zooms are those of Web Mercator; sizes below are those of the ground.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gis.store.case_verdicts import NONE, RANK, STANDING, kinds_sql, verdict_sql
from gis.store.collections import known as known_then
from gis.store.collections import so_on_day

GENERALISED_BELOW = 15
"""Parcels, permits and small buildings are shown from this zoom on."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer of the tiles. SQL fragments here are constants of this module."""

    id: str
    description: str
    collection: str
    """The collection of features it shows, or stands for."""
    zoom_least: int
    source: str
    geometry: str | None
    """In the city's CRS; None of what is generalised, which is stored in Web Mercator alone."""
    web: str
    """The same in Web Mercator."""
    key: str
    size: str
    """Which features are kept where a tile holds too many: those with the greatest of this."""
    fields: Mapping[str, tuple[str, str]]
    """Public name → (SQL expression, its kind for people: "String" or "Number")."""
    where: str
    changes: tuple[str, ...]
    """What has to be told as changed for the layer to change (`diaba.change`)."""
    zoom_most: int | None = None
    extent_of: tuple[str, str] | None = None
    """Table and column whose index tells how far the features reach."""
    least: Mapping[int, float] = field(default_factory=dict)
    """Zoom → the least `size` of what is shown there."""
    left_out: str = ""
    """What is not shown, for people."""
    clearance: str | None = None
    """Metres by which a vertex of the polygon, and no other, may move before it is not valid (ST_MinimumClearance)."""

    def is_shown(self, zoom: int) -> bool:
        """Whether tiles of a zoom level have the layer."""
        return zoom >= self.zoom_least and (self.zoom_most is None or zoom <= self.zoom_most)


VERDICT = (
    f"CASE WHEN f.rank IS NOT NULL THEN {verdict_sql('f.rank')} "
    f"WHEN (SELECT diaba.reach('differences')) = 'all' THEN '{NONE}' END"
)
"""What its cases make of a building. Who does not see all differences is not told that there is none."""

Condition = Callable[[str], str]
"""Alias of a table → a condition on its rows."""


def _known_now(alias: str) -> str:
    return f"upper_inf({alias}.recorded)"


def _so_today(alias: str) -> str:
    return f"({alias}.valid @> CURRENT_DATE) IS TRUE"


def _text(*names: str, of: str = "v") -> dict[str, tuple[str, str]]:
    return {name: (f"{of}.{name}", "String") for name in names}


def _number(*names: str, of: str = "v") -> dict[str, tuple[str, str]]:
    """Rounded to the centimetre; what is not known is left out of the tile."""
    # A whole number over 100 is the nearest to the decimal there is, without the way by numeric.
    return {name: (f"round(nullif({of}.{name}, 'NaN') * 100) / 100", "Number") for name in names}


def _count(*names: str, of: str = "v") -> dict[str, tuple[str, str]]:
    return {name: (f"{of}.{name}", "Number") for name in names}


def _whole(*names: str) -> dict[str, tuple[str, str]]:
    """Rounded to whole units: half as many bytes."""
    return {name: (f"CAST(round(v.{name}) AS bigint)", "Number") for name in names}


def _plan(known: Condition, so: Condition) -> list[Layer]:
    versions = f"{known('v')} AND {so('v')}"
    return [
        Layer(
            id="zones",
            description="Quy hoạch · planning zones",
            collection="planning_zones",
            zoom_least=11,
            source="diaba.planning_zone v",
            geometry="v.geom",
            web="v.geom_3857",
            extent_of=("planning_zone", "geom"),
            key="v.uid",
            size="ST_Area(v.geom)",
            fields=_text("uid", "level", "land_use", "decision")
            | _count("floors_max")
            | _number("density_pct", "far", "height_max_m"),
            where=versions,
            changes=("planning_zones",),
            least={11: 20_000.0, 12: 5_000.0, 13: 1_250.0},
            left_out="zones below 20,000 m² at zoom 11, 5,000 m² at 12, 1,250 m² at 13",
        ),
        Layer(
            id="roads",
            description="Đường · roads",
            collection="roads",
            zoom_least=12,
            source="diaba.road v",
            geometry="v.geom",
            web="v.geom_3857",
            extent_of=("road", "geom"),
            key="v.uid",
            size="COALESCE(v.reserve_width_m, 0)",
            fields=_text("uid", "name") | _number("reserve_width_m"),
            where=versions,
            changes=("roads",),
            least={12: 12.0, 13: 8.0},
            left_out="roads with a reserve narrower than 12 m at zoom 12, 8 m at 13, or of unknown width",
        ),
    ]


def _generalised() -> list[Layer]:
    return [
        Layer(
            id="wards",
            description="Đất của phường, xã · a ward's land: the parcels it stands for are counted",
            collection="parcels",
            zoom_least=8,
            zoom_most=12,
            source="diaba.generalised_ward v",
            geometry=None,
            web="v.geom_3857",
            key="v.ward_code",
            size="v.area",
            fields=_text("ward_code") | _count("parcels") | _whole("area"),
            where="TRUE",
            changes=("wards",),
            left_out="the parcels themselves, and what is narrower than 30 m between them",
        ),
        Layer(
            id="blocks",
            description="Khối đất · blocks of touching parcels, which are counted; the most frequent land use",
            collection="parcels",
            zoom_least=13,
            zoom_most=GENERALISED_BELOW - 1,
            source="diaba.generalised_block v",
            geometry=None,
            web="v.geom_3857",
            key="v.first_uid",
            size="v.area",
            fields=_text("ward_code", "land_use") | _count("parcels") | _whole("area"),
            where="TRUE",
            changes=("blocks",),
            left_out="the lines between the parcels of a block, and parcels of roads (DGT)",
        ),
        Layer(
            id="built_up",
            description="Khu vực đã xây dựng · built-up areas: the buildings they stand for are counted; their mean "
            "and greatest height (m)",
            collection="buildings",
            zoom_least=12,
            zoom_most=GENERALISED_BELOW - 1,
            source="diaba.generalised_built_up v",
            geometry=None,
            web="v.geom_3857",
            key="(v.cell_x, v.cell_y)",
            size="v.area",
            fields=_count("buildings") | _whole("area") | _number("height", "height_max"),
            where="TRUE",
            changes=("built_up",),
            left_out="what is narrower than 20 m between buildings",
        ),
    ]


def _near(known: Condition, so: Condition, *, is_now: bool) -> list[Layer]:
    versions = f"{known('v')} AND {so('v')}"
    permit = (
        # OFFSET 0: one look-up for each, whatever the planner knows of the two tables.
        "SELECT * FROM diaba.permit p WHERE p.permit_no = l.permit_no AND p.version = l.version "  # noqa: S608
        f"AND {known('p')} OFFSET 0"
    )
    flagged = (
        f"SELECT min({RANK}) AS rank, {kinds_sql()} AS kinds FROM diaba.discrepancy d "  # noqa: S608  constants
        f"WHERE d.building_uid = v.uid AND d.epoch = v.epoch AND {STANDING} AND {known('d')}"
    )
    newest = (
        # OFFSET 0 keeps it a look-up by uid, as in the collection of buildings.
        "NOT EXISTS (SELECT 1 FROM diaba.building_version n WHERE n.uid = v.uid "  # noqa: S608
        f"AND {so('n')} AND {known('n')} AND (lower(n.valid), n.epoch) > (lower(v.valid), v.epoch) OFFSET 0)"
    )
    return [
        Layer(
            id="parcels",
            description="Thửa đất · parcels",
            collection="parcels",
            zoom_least=GENERALISED_BELOW if is_now else GENERALISED_BELOW - 1,
            source="diaba.parcel_version v",
            geometry="v.geom",
            web="v.geom_3857",
            extent_of=("parcel_version", "geom"),
            key="v.uid",
            size="ST_Area(v.geom)",
            fields=_text("uid", "ward_code", "sheet_no", "parcel_no", "land_use") | _number("area_legal"),
            where=versions,
            changes=("parcels",),
            clearance="v.clearance",
        ),
        Layer(
            id="permits",
            description="Giấy phép xây dựng · permitted footprints",
            collection="permits",
            zoom_least=GENERALISED_BELOW,
            source=f"diaba.permit_limit l JOIN LATERAL ({permit}) v ON TRUE",
            geometry="l.geom",
            web="l.geom_3857",
            extent_of=("permit_limit", "geom"),
            key="v.permit_no",
            size="ST_Area(l.geom)",
            fields=_text("permit_no", "type", "status", "parcel_uid", "use")
            | _count("floors", of="l")
            | _number("height_m", of="l"),
            where="TRUE",
            changes=("permits",),
        ),
        Layer(
            id="buildings",
            description="Công trình đo được · measured buildings; `verdict` is `flagged` where a difference is to be "
            "inspected, else `confirmed` or `resolved` where an inspection said so, `none` where nothing is or all was "
            "dismissed, and absent where the caller may not know; `kinds` are those of its cases",
            collection="buildings",
            zoom_least=13,
            source=f"diaba.building_version v LEFT JOIN LATERAL ({flagged}) f ON TRUE",
            geometry="v.footprint",
            web="v.footprint_3857",
            extent_of=("building_version", "footprint"),
            key="v.uid",
            size="v.area",
            fields=_text("uid", "lod", "reason")
            | _number("height", "sigma_height", "ground_height", "roof_height_max")
            | {
                "verdict": (VERDICT, "String"),
                "kinds": ("f.kinds", "String"),
                "roof_type": ("v.attributes ->> 'roof_type'", "String"),
            },
            where=f"{versions} AND {newest}",
            changes=("buildings", "discrepancies"),
            least={13: 1_500.0, 14: 500.0},
            left_out="buildings below 1,500 m² at zoom 13, 500 m² at 14: `built_up` counts them",
            clearance="v.clearance",
        ),
    ]


def described(layer: Layer, zoom_last: int) -> dict[str, Any]:
    """The layer in TileJSON's words (3.0, `vector_layers`), in tiles up to a zoom; and what it leaves out."""
    return {
        "id": layer.id,
        "description": layer.description,
        "minzoom": layer.zoom_least,
        "maxzoom": zoom_last if layer.zoom_most is None else min(layer.zoom_most, zoom_last),
        "fields": {name: kind for name, (_, kind) in layer.fields.items()},
        **({"left_out": layer.left_out} if layer.left_out else {}),
    }


def _by_id(layers: list[Layer]) -> Mapping[str, Layer]:
    return {layer.id: layer for layer in layers}


LAYERS = _by_id(
    [*_generalised(), *_plan(_known_now, _so_today), *_near(_known_now, _so_today, is_now=True)],
)
"""The city as it is."""
LAYERS_THEN = _by_id([*_plan(known_then, so_on_day), *_near(known_then, so_on_day, is_now=False)])
"""The city as it was: nothing is generalised, as what stands for others is kept of today alone."""
ZOOM_LEAST = min(layer.zoom_least for layer in LAYERS.values())
