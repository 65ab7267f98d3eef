"""`diaba lidar levelling`: lots below a level, and the earth it takes to bring them to it."""

from __future__ import annotations

from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.common import emit, json_option, tracked

if TYPE_CHECKING:
    from gis.raster import Raster
    from lidar.levelling import Levelled

SHOWN = 20


@click.command("levelling")
@click.argument("source", metavar="DTM.tif", type=click.Path(path_type=Path))
@click.argument("lots", metavar="LOTS.gpkg", type=click.Path(path_type=Path))
@click.option("--level", type=float, required=True, help="Finished ground level, metres above the terrain's datum.")
@click.option("--sigma-level", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Its 1σ, metres.")
@click.option("--layer", help="Layer of the lots, in a file with several.")
@click.option("--below-only", is_flag=True, help="Only lots that lie lower by more than chance (99 %).")
@json_option
def command(
    source: Path,
    lots: Path,
    level: float,
    sigma_level: float,
    layer: str | None,
    below_only: bool,
    as_json: bool,
) -> None:
    """How far each lot lies below a finished ground level (cốt san nền), and the earth to bring in or take away.

    Lots are polygons of any vector file, named by their column uid where there is one. Volumes have their σ, of the
    terrain's σ with errors that go together over some metres. Needs no store.

    \b
    Examples:
      diaba lidar levelling dtm.tif lots.gpkg --level 2.0
      diaba lidar levelling dtm.tif registers.gpkg --layer parcels --level 2.0 --below-only --json
    """
    from api.cli.heights import terrain_of
    from lidar.levelling import level_lots

    terrain, _ = terrain_of([source])
    shapes = _lots(lots, layer, terrain)
    found = [
        one
        for shape in tracked("levelling", shapes, len(shapes))
        for one in level_lots(terrain, [shape], level, sigma_level=sigma_level)
    ]
    if below_only:
        found = [one for one in found if one.probability_below > 0.99]
    document = {
        "level": level,
        "lots": [_row(one) for one in found],
        "fill_m3": round(sum(one.fill for one in found if one.known > 0), 2),
        "cut_m3": round(sum(one.cut for one in found if one.known > 0), 2),
    }
    emit(document, as_json, lambda: _print(found, document))


def _lots(path: Path, layer: str | None, terrain: Raster) -> list[tuple[str, Any]]:
    import geopandas as gpd
    import pyogrio
    import pyogrio.errors

    from gis.crs import horizontal, normalise
    from gis.errors import BadParameter, MissingCrs, UnreadableFile

    try:
        names = [str(name) for name, _ in pyogrio.list_layers(path)]
        if layer is None and len(names) > 1:
            raise BadParameter("layer", None, f"{path} has {', '.join(names)}; name one with --layer")
        frame = gpd.read_file(path, layer=layer or names[0])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise UnreadableFile(path, "not a vector file with lots that can be read") from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise UnreadableFile(path, "the layer has no shapes")
    if frame.crs is None:
        raise MissingCrs(path)
    if horizontal(normalise(frame.crs.to_wkt())) != terrain.grid.crs:
        frame = frame.to_crs(terrain.grid.crs)
    uids = frame["uid"] if "uid" in frame.columns else range(1, len(frame) + 1)
    return [(str(uid), shape) for uid, shape in zip(uids, frame.geometry, strict=True)]


def _row(one: Levelled) -> dict[str, Any]:
    values = {**asdict(one), "net": one.net, "sigma_net": one.sigma_net}
    return {
        name: (None if isnan(value) else round(value, 4)) if isinstance(value, float) else value
        for name, value in values.items()
    }


def _print(found: list[Levelled], document: dict[str, Any]) -> None:
    for one in sorted(found, key=lambda lot: -lot.fill if lot.known > 0 else 0.0)[:SHOWN]:
        if one.known == 0:
            click.echo(f"{one.uid}: the ground is not known")
            continue
        click.echo(
            f"{one.uid}: ground {one.ground:.2f} ± {one.sigma_ground:.2f} m, {one.share_below:.0%} below "
            f"{one.level:g} m; fill {one.fill:,.1f} ± {one.sigma_fill:,.1f} m³, "
            f"cut {one.cut:,.1f} ± {one.sigma_cut:,.1f} m³"
        )
    if len(found) > SHOWN:
        click.echo(f"… and {len(found) - SHOWN} more")
    click.echo(f"{len(found)} lots: fill {document['fill_m3']:,.0f} m³, cut {document['cut_m3']:,.0f} m³")
