"""`diaba lidar flood`: land under water at a level, and hollows in which rain stands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.common import emit, json_option, png_option
from gis.errors import BadParameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gis.raster import Raster
    from lidar.flood import Inundation

PONDS_SHOWN = 5


@click.command("flood")
@click.argument("sources", metavar="DTM.tif…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT.tif", type=click.Path(path_type=Path))
@click.option("--level", type=float, help="Of the water, metres above the terrain's datum.")
@click.option("--levels", type=click.Path(path_type=Path), help="A raster of levels on the terrain's cells instead.")
@click.option("--sigma-level", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Its 1σ, metres.")
@click.option(
    "--from",
    "origin",
    default="water",
    show_default=True,
    metavar="water|edges|FILE",
    help="Where water comes in: level water that runs off the map (the edges if there is none), every edge, or the "
    "shapes of a vector file.",
)
@click.option("--ponds", is_flag=True, help="Fill every hollow with rain to where it spills, instead of a level.")
@click.option("--neighbours", type=click.Choice(["8", "4"]), default="8", show_default=True, help="Of a cell.")
@png_option
@json_option
def command(
    sources: tuple[Path, ...],
    target: Path,
    level: float | None,
    levels: Path | None,
    sigma_level: float,
    origin: str,
    ponds: bool,
    neighbours: str,
    png: Path | None,
    as_json: bool,
) -> None:
    """Put the land under water that a level reaches: what a higher dike keeps dry stays dry.

    OUT has the depth of water (m), with --level the probability that a cell is under water, and the level from which on
    it is. The water is still: no time, no waves, no pumps, no culverts that the terrain does not show.

    \b
    Examples:
      diaba lidar flood dtm.tif flood.tif --level 1.6
      diaba lidar flood dtm.tif flood.tif --level 1.6 --sigma-level 0.1 --png flood.png
      diaba lidar flood dtm.tif flood.tif --level 1.6 --from river.gpkg --json
      diaba lidar flood dtm.tif ponds.tif --ponds
      diaba lidar flood tiles/*.tif flood.tif --level 1.6 --from edges
    """
    from api.cli.heights import terrain_of
    from gis.raster import read_raster, write_cog
    from lidar.flood import inundate

    started = time.perf_counter()
    if sum((level is not None, levels is not None, ponds)) != 1:
        raise BadParameter("level", level, "give one of --level, --levels and --ponds")
    dtm, crs = terrain_of(sources)
    if ponds:
        made, document = _ponds(dtm)
    else:
        water = float(level) if level is not None else read_raster(Path(str(levels)))
        where = _where(dtm, origin)
        found = inundate(dtm, water, sigma_level=sigma_level, sources=where, neighbours=int(neighbours))
        made, document = found.raster, _document(found, level, sigma_level)
    write_cog(made, target, name="depth", crs=crs, unit="m")
    if png is not None:
        import numpy as np

        from api.cli.picture import draw
        from gis.raster import Raster

        wet = Raster(np.where(made.values > 0, made.values, np.float32(np.nan)), made.grid)
        draw(wet, "flood", png, ground=dtm)
    document = {"file": str(target), **document, "seconds": time.perf_counter() - started}
    emit(document, as_json, lambda: _print(document))


def _where(dtm: Raster, origin: str) -> NDArray[np.bool_] | None:
    if origin == "edges":
        return None
    from lidar.flood import outer_water, sources_in

    if origin == "water":
        return outer_water(dtm)
    import geopandas as gpd
    import pyogrio.errors

    from gis.crs import horizontal, normalise
    from gis.errors import MissingCrs, UnreadableFile

    try:
        frame = gpd.read_file(origin)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise UnreadableFile(origin, "neither water, edges, nor a vector file that can be read") from error
    if frame.crs is None:
        raise MissingCrs(origin)
    if horizontal(normalise(frame.crs.to_wkt())) != dtm.grid.crs:
        frame = frame.to_crs(dtm.grid.crs)
    return sources_in(dtm, list(frame.geometry))


def _ponds(dtm: Raster) -> tuple[Raster, dict[str, Any]]:
    import numpy as np

    from gis.raster import Raster
    from lidar.flood import outer_water
    from lidar.ponds import find_ponds

    sigma = dtm.bands.get("sigma")
    # What is shallower than twice the terrain's σ is noise.
    least = 0.05 if sigma is None else 2.0 * float(np.nanmedian(sigma))
    found = find_ponds(dtm, outer_water(dtm), least_depth=least, least_area=2.0)
    made = Raster(found.depth, dtm.grid, {"level": found.flooded.level})
    ponds = [
        {
            "level": round(one.level, 3),
            "depth": round(one.depth, 3),
            "area": round(one.area, 2),
            "volume": round(one.volume, 2),
            "x": one.x,
            "y": one.y,
            "spill_x": one.spill_x,
            "spill_y": one.spill_y,
        }
        for one in found.ponds
    ]
    return made, {"least_depth_m": round(least, 3), "volume_m3": sum(one["volume"] for one in ponds), "ponds": ponds}


def _document(found: Inundation, level: float | None, sigma_level: float) -> dict[str, Any]:
    return {
        "level": level,
        "sigma_level": sigma_level,
        "area_m2": round(found.area, 2),
        "expected_area_m2": round(found.expected_area, 2),
        "volume_m3": round(found.volume, 2),
    }


def _print(document: dict[str, Any]) -> None:
    if "ponds" in document:
        ponds = document["ponds"]
        click.echo(
            f"{len(ponds):,} hollows deeper than {document['least_depth_m']:.2f} m hold {document['volume_m3']:,.0f} m³"
            f" → {document['file']}"
        )
        for one in ponds[:PONDS_SHOWN]:
            click.echo(
                f"  {one['volume']:,.0f} m³, {one['depth']:.2f} m deep, {one['area']:,.0f} m², spills at "
                f"{one['level']:.2f} m, at {one['spill_x']:.1f} {one['spill_y']:.1f}"
            )
        return
    at = "by the raster of levels" if document["level"] is None else f"at {document['level']:g} m"
    click.echo(
        f"{document['area_m2']:,.0f} m² under water {at} (expected, with what is unsure: "
        f"{document['expected_area_m2']:,.0f} m²), {document['volume_m3']:,.0f} m³ → {document['file']}"
    )
