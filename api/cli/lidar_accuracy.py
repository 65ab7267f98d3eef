"""`diaba lidar accuracy`: vertical accuracy of a survey or a terrain model against check points."""

from __future__ import annotations

import csv
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from pyproj import CRS

from api.cli.common import CrsType, crs_option, emit, json_option, tracked

if TYPE_CHECKING:
    from lidar.quality.standards import Group
    from lidar.quality.vertical_accuracy import AccuracyReport, ErrorStatistics

ROLES = ("id", "x", "y", "z", "land_cover", "sigma")


class ColumnType(click.ParamType[tuple[str, str]]):
    """ROLE=NAME: which column a role is in."""

    name = "column"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Parse it, as wrong usage when it cannot be."""
        role, found, name = str(value).partition("=")
        if not found or role not in ROLES:
            self.fail(f"{value!r} is not one of {', '.join(ROLES)} followed by =NAME", param, ctx)
        return role, name


@click.command("accuracy")
@click.argument("sources", metavar="IN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--checkpoints", required=True, type=click.Path(path_type=Path), help="CSV or vector file of points.")
@click.option(
    "--checkpoints-crs", type=CrsType(), metavar="EPSG", help="CRS of check points that do not say their own."
)
@click.option("--layer", help="Layer of the check points, in a file with several.")
@click.option(
    "--column", "columns", multiple=True, type=ColumnType(), metavar="ROLE=NAME",
    help=f"Column of {', '.join(ROLES)}, where its name does not say it.",
)  # fmt: skip
@click.option("--nva", multiple=True, metavar="WORD", help="A land cover that is not vegetated.")
@click.option("--vva", multiple=True, metavar="WORD", help="A land cover that is vegetated.")
@click.option("--sigma", type=click.FloatRange(min=0), help="1σ of check points that state none, metres.")
@click.option("--target", type=float, help="RMSE asked for of non-vegetated places, metres.")
@click.option("--reach", type=float, default=5.0, show_default=True, help="How near a ground point must be, metres.")
@click.option("--html", type=click.Path(path_type=Path), help="Also write a page with pictures here.")
@click.option("--csv", "residuals", type=click.Path(path_type=Path), help="Also write every residual here.")
@crs_option
@json_option
def command(
    sources: tuple[Path, ...],
    checkpoints: Path,
    checkpoints_crs: CRS | None,
    layer: str | None,
    columns: tuple[tuple[str, str], ...],
    nva: tuple[str, ...],
    vva: tuple[str, ...],
    sigma: float | None,
    target: float | None,
    reach: float,
    html: Path | None,
    residuals: Path | None,
    crs: CRS | None,
    as_json: bool,
) -> None:
    """Vertical accuracy against check points, in the manner of ASPRS (Edition 2; figures of Edition 1 beside it).

    IN is classified point files, whose ground points are joined to triangles, or rasters of the terrain.

    \b
    Examples:
      diaba lidar accuracy classified.laz --checkpoints points.csv
      diaba lidar accuracy dtm.tif --checkpoints points.gpkg --target 0.10 --html accuracy.html
      diaba lidar accuracy tiles/*.laz --checkpoints points.csv --column x=Y --column y=X --vva "cỏ lác"
    """
    from lidar.quality.checkpoint_accuracy import vertical_accuracy
    from lidar.quality.checkpoints import read_check_points

    points = read_check_points(checkpoints, checkpoints_crs, layer=layer, columns=dict(columns))
    extra = dict.fromkeys(nva, "NVA") | dict.fromkeys(vva, "VVA")
    report = vertical_accuracy(
        sources,
        points,
        crs=crs,
        reach=reach,
        target=target,
        extra=cast("dict[str, Group]", extra),
        sigma=sigma,
        tracked=lambda files: tracked("measuring", files, len(sources)),
    )
    if residuals is not None:
        _write_residuals(report, residuals)
    if html is not None:
        from lidar.quality.accuracy_page import accuracy_page
        from lidar.quality.page import write_page

        write_page(accuracy_page(report, sources, checkpoints), html)
    emit(_document(report), as_json, lambda: _draw(report))


def _document(report: AccuracyReport) -> dict[str, Any]:
    document = asdict(report)
    document["standard"] = "ASPRS Positional Accuracy Standards for Digital Geospatial Data, Edition 2 (2024)"
    document["assessed"] = sum(residual.error is not None for residual in report.residuals)
    document["outliers"] = [residual.id for residual in report.outliers]
    document["not_assessable"] = {residual.id: residual.why_not for residual in report.not_assessable}
    return document


def _write_residuals(report: AccuracyReport, path: Path) -> None:
    from gis.files import written_whole
    from lidar.quality.vertical_accuracy import Residual

    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow([field.name for field in fields(Residual)])
        writer.writerows(astuple(residual) for residual in report.residuals)


def _draw(report: AccuracyReport) -> None:
    groups = {"NVA": report.nva, "VVA": report.vva, "all": report.combined, **report.by_land_cover}
    rows = [(name, found) for name, found in groups.items() if found is not None]
    width = max(len(name) for name, _ in rows)
    heads = ("n", "RMSE", "RMSE_V", "mean", "median", "std", "skew", "kurt", "min", "max", "|95 %|", "1.96·RMSE")
    click.secho(f"{'':<{width}}  {'  '.join(f'{head:>9}' for head in heads)}   (metres)", bold=True)
    for name, found in rows:
        click.echo(f"{name:<{width}}  {'  '.join(f'{figure:>9}' for figure in _figures(found))}")
    met = "none of the common classes" if report.vertical_class is None else f"{100 * report.vertical_class:g}-cm class"
    click.echo(f"NVA meets: {met} (ASPRS Edition 2, RMSE_V)")
    if report.meets_target is not None:
        verdict = "met" if report.meets_target else "NOT met"
        click.secho(f"target of {report.target:g} m: {verdict}", fg="green" if report.meets_target else "red")
    for outlier in report.outliers:
        click.secho(
            f"outlier: {outlier.id}: {outlier.error:+.3f} m, more than 3 RMSE; kept in all figures", fg="yellow"
        )
    for group, found in report.without_outliers.items():
        whole = report.nva if group == "NVA" else report.vva
        if whole is not None and found.count < whole.count:
            click.echo(f"without them {group} would have an RMSE of {found.rmse:.3f} m")
    for missing in report.not_assessable:
        click.secho(f"not assessable: {missing.id}: {missing.why_not}", fg="yellow")
    for note in report.notes:
        click.echo(f"note: {note}")


def _figures(found: ErrorStatistics) -> tuple[str, ...]:
    return (
        str(found.count),
        f"{found.rmse:.3f}",
        f"{found.accuracy:.3f}",
        f"{found.mean:+.3f}",
        f"{found.median:+.3f}",
        f"{found.std:.3f}",
        f"{found.skewness:+.2f}",
        f"{found.kurtosis:+.2f}",
        f"{found.low:+.3f}",
        f"{found.high:+.3f}",
        f"{found.percentile_95:.3f}",
        f"{found.at_95:.3f}",
    )
