"""`diaba demo`: a district from nothing to served."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click
from pyproj import CRS

from api.cli.common import crs_option, emit, json_option

RECIPES = ("alley", "ward", "district")


@click.command("demo")
@click.option("--recipe", type=click.Choice(RECIPES), default="ward", show_default=True, help="Which district.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True, help="Another seed, another city."
)
@click.option("--density", type=click.FloatRange(0.5, 50), help="Points per m²; the recipe's own by default.")
@click.option(
    "--lidar",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Real point files instead of a simulated district; more may follow.",
)
@click.argument("more", metavar="[FILE…]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--footprints", type=click.Path(path_type=Path), help="Building outlines for --lidar; else derived.")
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Local processes.")
@crs_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    seed: int,
    density: float | None,
    files: tuple[Path, ...],
    more: tuple[Path, ...],
    footprints: Path | None,
    workers: int,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Make a district, survey it, register it, compare both, and say how well it went.

    \b
    Examples:
      diaba demo
      diaba demo --recipe alley --seed 7 --json
      diaba demo --lidar tile.laz --crs EPSG:7415 --footprints houses.gpkg
      diaba demo --lidar a.laz b.laz
    """
    from api.demo.run import Source, run_demo
    from gis.settings import Settings

    if more and not files:
        raise click.UsageError(f"unexpected argument {more[0]}; give point files after --lidar")
    if footprints and not files:
        raise click.UsageError("--footprints goes with --lidar")
    source = Source(recipe, seed, density, (*files, *more), footprints, crs)
    city = ctx.find_root().obj or "demo"
    summary = run_demo(source, city, Settings.from_environment(), lambda line: click.echo(line, err=True), workers)
    emit(_clean(summary), as_json, lambda: _print(summary, city))


def _clean(value: Any) -> Any:
    """JSON has no NaN: what is unknown is null."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None or math.isnan(value) else f"{value:{form}}{unit}"


def _print(summary: dict[str, Any], city: str) -> None:
    """The table a person reads, and what to type next."""
    from rich.console import Console
    from rich.table import Table

    ground, dtm, found = summary["ground"], summary["dtm"], summary["differences"]
    built = summary["buildings"]
    table = Table(title=f"diaba demo · {summary['source']}", show_header=False, title_justify="left")
    table.add_row("points", f"{summary['points']:,}")
    table.add_row("points per second", f"{summary['points_per_s']:,}")
    table.add_row("area", f"{summary['area_m2'] / 1e6:.3f} km²")
    table.add_row("ground, total error", _number(ground["total_error"], ".2%"))
    table.add_row("DTM RMSE, open ground", _number(dtm["rmse_open_m"], ".3f", " m"))
    table.add_row("DTM RMSE, everywhere", _number(dtm["rmse_all_m"], ".3f", " m"))
    table.add_row("buildings", f"{built['count']:,} ({built['derived']:,} with an outline from points)")
    table.add_row("building height RMSE", _number(built["height_rmse_m"], ".3f", " m"))
    table.add_row("parcels", f"{summary['parcels']['count']:,}")
    table.add_row("permits", f"{summary['permits']['count']:,}")
    if found["planted"] is not None:
        table.add_row("differences", f"{found['planted']} planted, {found['found']} found, {found['false']} false")
        for kind, counts in found["by_kind"].items():
            table.add_row(f"  {kind}", f"{counts['planted']} planted, {counts['found']} found, {counts['false']} false")
    else:
        table.add_row("differences", f"{found['found']} (no register was given)")
    table.add_row("time", f"{summary['seconds']['total']:.0f} s")
    console = Console()
    console.print(table)
    prefix = "diaba" if city == "demo" else f"diaba --city {city}"
    console.print(f"map: {summary['map']}", soft_wrap=True)
    console.print("next:", highlight=False)
    for line in ("serve", "compliance run", "db status"):
        console.print(f"  .venv/bin/{prefix} {line}", highlight=False)
