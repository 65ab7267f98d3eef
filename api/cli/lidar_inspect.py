"""`diaba lidar inspect`: what point files hold, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pyproj import CRS

from api.cli.common import PointFile, crs_option, emit, json_option, tracked
from gis.errors import UnreadableFile

if TYPE_CHECKING:
    from lidar.quality import QualityReport

COLOURS = {"error": "red", "warning": "yellow", "note": "bright_black"}


@click.command("inspect")
@click.argument("files", nargs=-1, required=True, type=PointFile())
@crs_option
@json_option
def command(files: tuple[Path | str, ...], crs: CRS | None, as_json: bool) -> None:
    """What point files hold, and what is wrong with them: density, CRS, classes, noise, gaps, strips.

    LAS, LAZ and COPC. Lengths are metres, also for files in feet. Files that cannot be read are named last.

    \b
    Examples:
      diaba lidar inspect tile.laz
      diaba lidar inspect tiles/*.laz --crs EPSG:28992 --json
    """
    from lidar.quality import inspect

    reports, refused = [], []
    for file in tracked("inspecting", files, len(files)):
        try:
            reports.append(inspect(file, crs))
        except UnreadableFile as error:
            refused.append(error)
    if reports:
        emit([report.to_dict() for report in reports], as_json, lambda: _draw(reports))
    for unreadable in refused[:-1]:
        click.echo(f"diaba: {unreadable}", err=True)
    if refused:
        raise refused[-1]


def _draw(reports: list[QualityReport]) -> None:
    for report in reports:
        click.secho(str(report.path), bold=True)
        rows = _rows(report)
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            click.echo(f"  {name:<{width}}  {value}")
        for problem in report.problems:
            click.secho(f"  {problem.severity:<{width}}  ", nl=False, fg=COLOURS[problem.severity])
            click.echo(problem.text)
        if not report.problems:
            click.echo("  nothing wrong was found")


def _rows(report: QualityReport) -> list[tuple[str, str]]:
    kind = "COPC" if report.is_copc else "LAZ" if report.is_compressed else "LAS"
    rows = [
        ("file", f"{kind} {report.version}, point format {report.point_format}, {report.file_size / 1e6:,.2f} MB"),
        ("made", " ".join(part for part in (report.created, report.software) if part) or "not said"),
        ("CRS", f"{report.crs} ({report.crs_name})" if report.crs and report.crs_name else "not said"),
        ("points", f"{report.point_count:,}"),
    ]
    if report.bounds is not None:
        west, south, east, north = report.bounds
        rows.append(("extent", f"{west:,.2f} … {east:,.2f}, {south:,.2f} … {north:,.2f} m"))
    if report.z_range is not None:
        rows.append(("heights", f"{report.z_range[0]:,.2f} … {report.z_range[1]:,.2f} m"))
    if (density := report.density) is not None:
        share = density.percentiles
        spread = f"5 % of cells below {share[5]:.1f}, half below {share[50]:.1f}"
        rows.append(("density", f"{density.mean:.2f} points/m², {density.pulses:.2f} pulses/m²; {spread}"))
        rows.append(("covered", f"{density.covered_area:,.0f} m², {density.void_share:.1%} of it without points"))
    rows.append(("classes", _shares(report.classes, report.point_count)))
    rows.append(("returns", _shares(report.returns, report.point_count)))
    rows.append(("strips", ", ".join(str(strip) for strip in report.strips) or "none"))
    if (sample := report.sample) is not None:
        rows.append(("noise", f"{sample.low_noise:,} low, {sample.high_noise:,} high, not yet marked"))
        rows.append(("duplicates", f"{sample.duplicates:,}"))
        for overlap in sample.overlaps:
            difference = f"{overlap.mean:+.3f} m, rms {overlap.rms:.3f} m over {overlap.cells:,} flat m²"
            rows.append((f"strips {overlap.first}/{overlap.second}", difference))
        if sample.share < 1:
            rows.append(("", f"noise, duplicates and strips: {sample.share:.0%} of the points, in the middle"))
    return rows


def _shares(counts: Mapping[int, int], total: int) -> str:
    return ", ".join(f"{code}: {count / total:.1%}" for code, count in counts.items()) or "none"
