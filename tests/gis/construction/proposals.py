"""Proposals for the tests: rectangles on the ground, given in metres from a corner in the city."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from hypothesis import strategies as st

from gis.construction.planning_rules import Judgement, judge
from gis.construction.proposal_file import Defaults, parse_proposal
from gis.construction.rule_tables import city_rules

EAST, NORTH = 602_000.0, 1_190_000.0
DAY = date(2026, 3, 2)
Corner = tuple[float, float]
Json = dict[str, Any]


def place(x: float, y: float) -> list[float]:
    return [EAST + x, NORTH + y]


def ring(*corners: Corner) -> Json:
    return {"type": "Polygon", "coordinates": [[place(*c) for c in (*corners, corners[0])]]}


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Json:
    return ring((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def line(*corners: Corner) -> Json:
    return {"type": "LineString", "coordinates": [place(*c) for c in corners]}


def feature(role: str, geometry: Json, **properties: Any) -> Json:
    return {"type": "Feature", "properties": {"role": role, **properties}, "geometry": geometry}


def collection(*features: Json) -> Json:
    return {"type": "FeatureCollection", "features": list(features)}


def road(side: str, width: float, lot: Corner, name: str | None = None) -> Json:
    """A road whose red line is a side of a lot that has a corner at the origin."""
    w, d, half = *lot, width / 2
    ends = {
        "south": ((-60, -half), (w + 60, -half)),
        "north": ((-60, d + half), (w + 60, d + half)),
        "west": ((-half, -60), (-half, d + 60)),
        "east": ((w + half, -60), (w + half, d + 60)),
    }[side]
    return feature("road", line(*ends), reserve_width_m=width, name=name or side)


def document(
    lot: Corner = (5, 20),
    roads: Sequence[tuple[str, float]] = (("south", 12.0),),
    masses: Sequence[Json] = ({},),
    zones: Sequence[Json] = (),
    **common: Any,
) -> Json:
    """A lot of some width and depth; each mass a footprint `at` (x0, y0, x1, y1) with its properties.

    What a mass does not say: it stands on the front half of the lot, with 2 floors and 7 m.
    """
    w, d = lot
    stated = {"use": "attached", "filed_on": DAY.isoformat(), "area_kind": "new", **common}
    features = [feature("lot", rectangle(0, 0, w, d), **({} if masses else stated))]
    features += [road(side, width, lot) for side, width in roads]
    for mass in masses:
        own = {"floors": 2, "height_m": 7.0, **stated, **mass}
        at = own.pop("at", (0, 0, w, d / 2))
        features.append(feature("footprint", rectangle(*at), **own))
    features += [feature("zone", z.pop("geometry", rectangle(-50, -50, w + 50, d + 50)), **z) for z in map(dict, zones)]
    return collection(*features)


def judged(proposal: Json) -> Judgement:
    return judge(parse_proposal(proposal, Defaults(DAY)), city_rules())


def moved(proposal: Json, change: Callable[[float, float], Corner]) -> Json:
    """The same with every position changed, given and wanted as offsets from the corner in the city."""

    def walk(value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], int | float):
            return place(*change(value[0] - EAST, value[1] - NORTH))
        return [walk(part) for part in value]

    return {
        **proposal,
        "features": [
            {**f, "geometry": {**f["geometry"], "coordinates": walk(f["geometry"]["coordinates"])}}
            for f in proposal["features"]
        ],
    }


def turned(angle: float, dx: float, dy: float) -> Callable[[float, float], Corner]:
    c, s = math.cos(angle), math.sin(angle)
    return lambda x, y: (c * x - s * y + dx, s * x + c * y + dy)


@st.composite
def proposals(draw: st.DrawFn, uses: tuple[str, ...] = ("detached", "attached", "apartments", "service")) -> Any:
    """A building somewhere on a lot with one to three roads, in whole decimetres."""
    w, d = draw(st.integers(29, 400)) / 10, draw(st.integers(60, 600)) / 10
    sides = draw(st.lists(st.sampled_from(["south", "west", "east", "north"]), min_size=1, max_size=3, unique=True))
    roads = [(side, draw(st.integers(20, 400)) / 10) for side in sides]
    x = sorted(draw(st.tuples(st.floats(0, 0.4), st.floats(0.6, 1))))
    y = sorted(draw(st.tuples(st.floats(0, 0.4), st.floats(0.6, 1))))
    at = (round(x[0] * w, 2), round(y[0] * d, 2), round(x[1] * w, 2), round(y[1] * d, 2))
    height = draw(st.integers(30, 600)) / 10
    floors = draw(st.integers(1, 20))
    area = (at[2] - at[0]) * (at[3] - at[1])
    mass: dict[str, Any] = {"at": at, "floors": floors, "height_m": height, "gross_floor_area_m2": area * floors}
    if draw(st.booleans()):
        mass["height_at_building_line_m"] = round(height * draw(st.floats(0.3, 1)), 1)
    if draw(st.booleans()):
        mass["balcony_m"] = draw(st.integers(0, 20)) / 10
    zones = [{"density_pct": 60, "floors_max": 5, "height_max_m": 20}] if draw(st.booleans()) else []
    use, kind = draw(st.sampled_from(uses)), draw(st.sampled_from(["existing", "new"]))
    return {"lot": (w, d), "roads": roads, "masses": [mass], "zones": zones, "use": use, "area_kind": kind}
