"""`diaba lidar inspect`: what point files hold, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pyproj import CRS

from api.cli.common import PointFile, crs_option, emit, json_option, tracked
from gis.errors import BadParameter, UnreadableFile

if TYPE_CHECKING:
    from lidar.quality.report import QualityReport

COLOURS = {"error": "red", "warning": "yellow", "note": "bright_black"}
RARE = 0.000_5
"""A smaller share is shown as a count."""
MOST_STRIPS = 12
"""Numbers named one by one."""


@click.command("inspect")
@click.argument("files", nargs=-1, required=True, type=PointFile())
@click.option("--against", type=click.Path(path_type=Path), help="Points, heights or footprints of the same place.")
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page with pictures here.")
@crs_option
@json_option
def command(
    files: tuple[Path | str, ...], against: Path | None, html: Path | None, crs: CRS | None, as_json: bool
) -> None:
    """What point files hold, and what is wrong with them: density, CRS, classes, noise, gaps, strips.

    LAS, LAZ and COPC. Lengths are metres, also for files in feet. Files that cannot be read are named last.
    A reference (--against) shows a shift and the slip behind it: a datum, a zone, swapped axes, a wrong vertical datum.

    \b
    Examples:
      diaba lidar inspect tile.laz
      diaba lidar inspect tiles/*.laz --crs EPSG:28992 --json
      diaba lidar inspect survey/ --html survey.html
      diaba lidar inspect tile.laz --against footprints.gpkg
    """
    from lidar.catalog import files_named
    from lidar.quality.inspection import examine

    reports: list[QualityReport] = []
    refused: list[UnreadableFile] = []
    blocks: list[str] = []
    named = files_named(files)
    if not named:
        raise BadParameter("FILES", ", ".join(map(str, files)), "no LAS or LAZ file is there")
    for file in tracked("inspecting", named, len(named)):
        try:
            found = examine(file, crs, against=against, with_pictures=html is not None)
        except UnreadableFile as error:
            refused.append(error)
            continue
        reports.append(found.report)
        if html is not None:
            from lidar.quality.inspection_page import inspection

            blocks.append(inspection(found, _rows(found.report), is_first=not blocks))
    if html is not None and reports:
        from lidar.quality.inspection_page import inspection_page
        from lidar.quality.page import write_page

        write_page(inspection_page(reports, blocks), html)
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
    from lidar.quality.class_legend import CLASS_NAMES

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
        spread = f"5 % of the cells of {density.cell:g} m have {share[5]:.3g} or fewer, half {share[50]:.3g}"
        rows.append(("density", f"{density.mean:.3g} points/m², {density.pulses:.3g} pulses/m²; {spread}"))
        rows.append(("covered", f"{density.covered_area:,.0f} m², {density.void_share:.1%} of it without points"))
    rows.append(("classes", _shares(report.classes, report.point_count, CLASS_NAMES)))
    rows.append(("returns", _shares(report.returns, report.point_count)))
    rows.append(("strips", _few(report.strips)))
    if (sample := report.sample) is not None:
        rows.append(("noise", f"{sample.low_noise:,} low, {sample.high_noise:,} high, not yet marked"))
        rows.append(("duplicates", f"{sample.duplicates:,}"))
        for overlap in sample.overlaps:
            difference = f"{overlap.mean:+.3f} m, rms {overlap.rms:.3f} m over {overlap.cells:,} flat m²"
            by = "strips" if len(report.strips) > 1 else "passes"
            rows.append((f"{by} {overlap.first}/{overlap.second}", difference))
        if sample.share < 1:
            rows.append(("", f"noise, duplicates and strips: {sample.share:.0%} of the points, in the middle"))
    if (found := report.registration) is not None and found.is_certain:
        up = "" if found.dz is None else f", height {found.dz:+.2f} m"
        rows.append(("reference", f"shift {found.dx:+.2f}, {found.dy:+.2f} m{up} against {found.reference}"))
    return rows


def _shares(counts: Mapping[int, int], total: int, names: Mapping[int, str] | None = None) -> str:
    """Each code with its share, or its count where that would read as nothing."""
    shown = []
    for code, count in counts.items():
        name = f"{code} {names[code]}" if names and code in names else str(code)
        shown.append(f"{name}: {count / total:.1%}" if count / total >= RARE else f"{name}: {count:,} points")
    return ", ".join(shown) or "none"


def _few(strips: Mapping[int, int]) -> str:
    """The numbers of the strips, of many the first and the last."""
    numbers = [str(strip) for strip in strips]
    if len(numbers) > MOST_STRIPS:
        return f"{', '.join(numbers[: MOST_STRIPS - 1])} … {numbers[-1]} ({len(numbers)} of them)"
    return ", ".join(numbers) or "none"
