"""`diaba lidar buildings`: 3D models of the buildings in point files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from math import hypot, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pyproj import CRS

from api.cli.common import Advance, crs_option, emit, json_option, progress, rectangle
from gis.errors import UnreadableFile

if TYPE_CHECKING:
    from gis.bounds import BoundingBox
    from gis.city_model.building import Building
    from lidar.footprints import Footprints
    from lidar.match_footprints import Match
    from lidar.point_cloud import PointCloud

LODS = ("1.2", "1.3", "2.2")
STEPS = 7
"""Of the progress: points read, noise, ground and classes found, terrain made, buildings made, and written."""
MOST_ROWS = 100
"""Buildings up to which each is shown; of more, the first so many that fell short."""


@click.command("buildings")
@click.argument("sources", metavar="IN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--footprints", type=click.Path(path_type=Path), help="Building outlines; without them they are derived.")
@click.option(
    "--parcels", type=click.Path(path_type=Path), help="Land parcels: derived outlines are parted at their lines."
)
@click.option(
    "--lod",
    type=click.Choice(LODS),
    default=LODS[-1],
    show_default=True,
    help="The highest level of detail: 1.2 blocks, 1.3 blocks with steps, 2.2 roof shapes. CityJSON gets the lower "
    "ones too. A building that has no valid model of it gets the next lower one, with the reason.",
)
@click.option("--area", metavar="X0,Y0,X1,Y1", help="Only buildings in this rectangle, in the CRS of the points.")
@click.option(
    "--as-given", is_flag=True, help="Trust the place of the outlines given: hold them not against the points."
)
@click.option("--times", "timed", is_flag=True, help="Tell of each building the seconds that its models took.")
@click.option("--keep-classes", is_flag=True, help="Trust the classes in the files instead of classifying anew.")
@crs_option
@json_option
def command(
    sources: tuple[Path, ...],
    target: Path,
    footprints: Path | None,
    parcels: Path | None,
    lod: str,
    area: str | None,
    as_given: bool,
    timed: bool,
    keep_classes: bool,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Reconstruct buildings as closed solids.

    The ending of OUT says the format: .city.json and .city.jsonl (CityJSON 2.0, CityJSONSeq: all models, semantics and
    attributes), .obj (Wavefront), .glb (glTF 2.0), .gpkg (GeoPackage: footprints with all attributes, roof surfaces
    with slope and azimuth). A bad footprint is named on stderr and does not stop the others.

    Of each building is shown what was made: the level of detail, the height and its standard deviation, the roof's
    planes, how far their points lie from them (square to the plane) and all roof points from the model (upright), as
    root mean squares, and why it is no better. Of more than 100 buildings only those are shown that fell short.

    Given outlines are held against the points: the shift of each block of 250 m, of 2 m at most, and what became of
    each outline (matched, shifted alone, changed, missing, unseen for want of points; extra are roofs the map lacks).
    Where a shift is sure, models are made under the moved outline; the outline itself stays as given. The attributes
    footprint_shift_m (and _dx_m, _dy_m, _sigma_m) and footprint_finding say so for each building.

    \b
    Examples:
      diaba lidar buildings tile.laz out.city.jsonl --footprints houses.gpkg
      diaba lidar buildings ahn3_1.laz ahn3_2.laz out.city.jsonl --footprints bag.geojson --crs EPSG:7415
      diaba lidar buildings tile.laz out.city.jsonl
      diaba lidar buildings tile.laz out.city.jsonl --footprints houses.gpkg --as-given
      diaba lidar buildings tile.laz out.city.jsonl --parcels cadastre.gpkg
      diaba lidar buildings tile.laz roofs.gpkg --area 603000,1191000,603200,1191200
      diaba lidar buildings tile.laz blocks.glb --lod 1.2
    """
    from gis.city_model.write import write_buildings, writer_for

    started = time.perf_counter()
    writer_for(target)  # an ending that is not known is said before the work
    with progress("buildings", STEPS) as advance:
        points, bounds = _points(sources, area, crs, matched=footprints is not None and not as_given)
        advance(1)
        known, land = (_known(path, points, crs, bounds) for path in (footprints, parcels))
        buildings, match, seconds = _buildings(points, known, land, bounds, as_given, timed, keep_classes, advance)
        buildings = tuple(building.at_most(lod) for building in buildings)
        write_buildings(buildings, target, points.crs)
        advance(1)
    reached = Counter(building.lod for building in buildings)
    reasons = Counter(building.reason.value for building in buildings)
    problems = [str(problem) for read in (known, land) if read is not None for problem in read.problems]
    document = {
        "file": str(target),
        "lod": lod,
        "buildings": len(buildings),
        "with_solid": sum(building.solid is not None for building in buildings),
        "lods": dict(sorted(reached.items())),
        "reasons": dict(sorted(reasons.items())),
        "problems": problems,
        "each": [_row(building) for building in buildings],
        "footprints": None if match is None else {**match.counts, "blocks": _blocks(match)},
        "ms_per_building": 1000 * seconds / len(buildings) if buildings else None,
        "seconds": time.perf_counter() - started,
    }

    def text() -> None:
        for problem in problems:
            click.echo(f"footprint {problem}", err=True)
        for line in _table(buildings, lod):
            click.echo(line)
        for name, count in sorted(reached.items(), reverse=True):
            click.echo(f"{'no model' if name == '0' else f'LoD {name}':<12}{count:>10,}  {count / len(buildings):6.1%}")
        for why, count in sorted(reasons.items()):
            if why != "none":
                click.echo(f"  {why:<16}{count:>4,}")
        for line in [] if match is None else _told(match):
            click.echo(line)
        each = f", {document['ms_per_building']:.1f} ms a building" if buildings else ""
        click.echo(f"{len(buildings):,} buildings{each}, {document['seconds']:.1f} s in all → {target}")

    emit(document, as_json, text)


def _row(building: Building) -> dict[str, Any]:
    """What is told of one building."""
    facts = building.attributes
    return {
        "uid": building.uid,
        "lod": building.lod,
        "height_m": building.height,
        "sigma_height_m": building.sigma_height,
        "points": building.point_count,
        "planes": facts.get("roof_planes"),
        "rmse_planes_m": facts.get("rmse_planes_m"),
        "rmse_m": facts.get(f"rmse_lod{building.lod.replace('.', '')}_m"),
        "reason": building.reason.value,
        "seconds": facts.get("seconds"),
    }


def _table(buildings: Sequence[Building], lod: str) -> Iterator[str]:
    """Lines that show each building, or, of many, those that did not reach the level of detail."""
    shown = buildings if len(buildings) <= MOST_ROWS else [b for b in buildings if b.lod != lod][:MOST_ROWS]
    if not shown:
        return
    wide = max(len("building"), *(len(building.uid) for building in shown))
    timed = any("seconds" in building.attributes for building in shown)
    yield (
        f"{'building':<{wide}}  LoD  height m     ±  points  planes  off planes m  off model m"
        f"{'      ms' if timed else ''}  reason"
    )
    for row in map(_row, shown):
        made = "none" if row["lod"] == "0" else row["lod"]
        height, sigma = _number(row["height_m"], 2), _number(row["sigma_height_m"], 2)
        planes, square, upright = _number(row["planes"], 0), _number(row["rmse_planes_m"], 3), _number(row["rmse_m"], 3)
        took = f"{_number(row['seconds'] * 1000, 1):>8}" if timed else ""
        yield (
            f"{row['uid']:<{wide}}  {made:<4}{height:>9}{sigma:>6}{row['points']:>8,}{planes:>8}{square:>14}"
            f"{upright:>13}{took}  {'' if row['reason'] == 'none' else row['reason']}"
        ).rstrip()
    if len(shown) < len(buildings):
        yield f"… and {len(buildings) - len(shown):,} more"
    yield ""


def _number(value: float | str | None, digits: int) -> str:
    """A number for a table; a dash where it is not known."""
    return "–" if not isinstance(value, int | float) or value != value else f"{value:.{digits}f}"


def _points(
    sources: tuple[Path, ...], area: str | None, crs: CRS | None, *, matched: bool
) -> tuple[PointCloud, BoundingBox | None]:
    """The points of the files, or those in and around the area, and the area.

    Outlines that are matched are so by whole blocks: then the points reach around those too.

    Raises:
        UnreadableFile: there are none.
    """
    from gis.crs import horizontal
    from lidar.blocks import look_at
    from lidar.match_footprints import whole_blocks
    from lidar.pipeline import DEFAULT_BUFFER
    from lidar.read import read_many

    bounds = None if area is None else rectangle(area, horizontal(look_at(sources, crs).crs))
    wanted = whole_blocks(bounds) if bounds is not None and matched else bounds
    points = read_many(list(sources), None if wanted is None else wanted.buffered(DEFAULT_BUFFER), crs=crs)
    if len(points) == 0:
        where = "it holds no points" if bounds is None else "it holds no points in and around the area"
        raise UnreadableFile(", ".join(map(str, sources)), where)
    return points, bounds


def _known(path: Path | None, points: PointCloud, crs: CRS | None, bounds: BoundingBox | None) -> Footprints | None:
    """The outlines given; with an area those of the blocks it touches, and around these their neighbours."""
    from lidar.footprints import read_footprints_for
    from lidar.match_footprints import whole_blocks
    from lidar.pipeline import BUILDING_ROOM

    if path is None:
        return None
    known = read_footprints_for(path, points.crs, crs)
    return known if bounds is None else known.touching(whole_blocks(bounds).buffered(BUILDING_ROOM))


def _buildings(
    points: PointCloud,
    known: Footprints | None,
    parcels: Footprints | None,
    bounds: BoundingBox | None,
    as_given: bool,
    timed: bool,
    keep_classes: bool,
    advance: Advance,
) -> tuple[tuple[Building, ...], Match | None, float]:
    """The buildings, what became of the outlines given, and the seconds that outlines and models took.

    Of an area, where there is one, alone.
    """
    import numpy as np

    from gis.grid import Grid
    from lidar.building_attributes import with_party_walls
    from lidar.derive_footprints import derive_footprints
    from lidar.match_footprints import match_footprints
    from lidar.moved_models import reconstruct_matched
    from lidar.parcel_lines import parted_at_parcels
    from lidar.pipeline import RESOLUTION, classified
    from lidar.point_index import points_in_polygons
    from lidar.reconstruct import reconstruct_all
    from lidar.terrain import rasterise

    if keep_classes:
        advance(3)
    else:
        points = classified(points, on_step=lambda: advance(1))
    terrain = rasterise(points, Grid.covering(points.bounds, RESOLUTION))
    advance(1)
    started = time.perf_counter()
    match = None
    if known is None or as_given:
        outlines = derive_footprints(points, terrain, within=bounds) if known is None else known
        if parcels is not None:
            outlines = parted_at_parcels(outlines, parcels.polygons)
        buildings = reconstruct_all(outlines, points, terrain, timed=timed)
    else:
        derived = derive_footprints(points, terrain)
        inside = points_in_polygons(points.x, points.y, known.polygons)
        outlines, match = known, match_footprints(known, derived, np.diff(inside.offsets) > 0)
        buildings = reconstruct_matched(match, points, terrain, timed=timed)
    buildings = with_party_walls(buildings)
    if bounds is not None:
        own = set(outlines.within(bounds).uids)
        buildings = tuple(building for building in buildings if building.uid in own)
        if match is not None:
            match = match.of(own | set(derived.within(bounds).uids))
    advance(1)
    return buildings, match, time.perf_counter() - started


def _blocks(match: Match) -> list[dict[str, Any]]:
    """What was found of each block, for JSON."""
    return [
        {
            "corner": list(corner),
            "dx_m": shift.dx,
            "dy_m": shift.dy,
            "measured_m": [round(value, 3) for value in shift.measured],
            "sigma_m": [round(value, 3) if isfinite(value) else None for value in shift.sigma],
            "sides": shift.sides,
        }
        for corner, shift in match.shifts.items()
    ]


def _told(match: Match) -> list[str]:
    """What was found of the map, for a person."""
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in match.counts.items())
    lines = [f"outlines: {counts}"]
    for (west, south), shift in match.shifts.items():
        if shift.dx or shift.dy:
            lines.append(
                f"  the map lies {hypot(shift.dx, shift.dy):.2f} m off in the block at {west:.0f}, {south:.0f}: "
                f"{shift.dx:+.2f} m east, {shift.dy:+.2f} m north (σ {shift.sigma[0]:.2f}, {shift.sigma[1]:.2f} m)"
            )
    return lines
