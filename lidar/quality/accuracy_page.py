"""The page of `diaba lidar accuracy`: how far a survey is from its check points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lidar.quality.page import (
    AMBER,
    BLUE,
    INK,
    RED,
    Tone,
    as_map,
    beside,
    cards,
    drawing,
    facts,
    heading,
    label,
    page,
    paragraph,
    picture,
    remarks,
    table,
)
from lidar.quality.vertical_accuracy import CLASS_OF_VVA, AccuracyReport, ErrorStatistics, Residual

HEAD = ("metres", "n", "RMSE", "RMSE_V", "mean", "median", "std", "NMAD", "skew", "kurt", "min", "max")
MOST_LISTED = 40
"""Residuals on paper, the greatest first; the CSV has all."""


def accuracy_page(report: AccuracyReport, sources: Sequence[Path], check_points: Path) -> str:
    """The report as one page of HTML."""
    named = ", ".join(path.name for path in sources[:6]) + (f" and {len(sources) - 6} more" if len(sources) > 6 else "")
    assessed = [residual for residual in report.residuals if residual.error is not None]
    groups = {"NVA": report.nva, "VVA": report.vva, "combined": report.combined}
    blocks = [
        cards(_cards(report)),
        heading("Figures"),
        table(HEAD, [_row(name, found) for name, found in groups.items() if found is not None]),
        heading("By land cover"),
        table(HEAD, [_row(name, found) for name, found in report.by_land_cover.items()]),
        heading("In words"),
        remarks(_findings(report)),
        beside([_map(assessed), _histogram(assessed)]),
        heading("As Edition 1 (2014) would say it, at 95 %"),
        facts(_edition_1(report)),
        heading("Check points"),
        table(
            ("point", "x m", "y m", "height m", "surface m", "error m", "land cover", "group"),
            [_listed(residual) for residual in _order(report)[:MOST_LISTED]],
        ),
    ]
    if len(report.residuals) > MOST_LISTED:
        blocks.append(paragraph(f"The {MOST_LISTED} greatest of {len(report.residuals)}; --csv writes all."))
    return page(
        "Vertical accuracy",
        f"{named}, against {len(assessed)} of {len(report.residuals)} check points of {check_points.name}",
        blocks,
        "ASPRS Positional Accuracy Standards for Digital Geospatial Data, Edition 2 (2024). Errors are survey minus "
        "check point, metres. RMSE_V holds the check points' own error where it is stated.",
    )


def _cards(report: AccuracyReport) -> list[tuple[str, str, Tone]]:
    found: list[tuple[str, str, Tone]] = []
    if report.nva is not None:
        tone: Tone = "plain" if report.meets_target is None else "good" if report.meets_target else "bad"
        asked = "" if report.target is None else f", {report.target:g} m asked for"
        found.append((f"{report.nva.accuracy:.3f} m", f"NVA: RMSE_V of {report.nva.count} points{asked}", tone))
    if report.vva is not None:
        found.append((f"{report.vva.accuracy:.3f} m", f"VVA: RMSE_V of {report.vva.count} points, as found", "plain"))
    if report.nva is not None:
        found.append(
            (f"{report.nva.mean:+.3f} m", "mean error, non-vegetated", "warn" if report.nva.is_biased else "good")
        )
        enough = report.nva.count >= report.required
        met = "none" if report.vertical_class is None else f"{100 * report.vertical_class:g} cm"
        why = "" if enough else f"; too few points, {report.required} asked for"
        found.append((met, f"vertical accuracy class met{why}", "good" if enough else "warn"))
    return found


def _row(name: str, found: ErrorStatistics) -> tuple[object, ...]:
    return (
        name,
        found.count,
        f"{found.rmse:.3f}",
        f"{found.accuracy:.3f}",
        f"{found.mean:+.3f}",
        f"{found.median:+.3f}",
        f"{found.std:.3f}",
        f"{found.nmad:.3f}",
        f"{found.skewness:+.2f}",
        f"{found.kurtosis:+.2f}",
        f"{found.low:+.3f}",
        f"{found.high:+.3f}",
    )


def _findings(report: AccuracyReport) -> list[tuple[str, Tone]]:
    found: list[tuple[str, Tone]] = []
    if report.meets_target is not None and report.nva is not None:
        verdict = "meets" if report.meets_target else "does not meet"
        text = f"The non-vegetated RMSE_V of {report.nva.accuracy:.3f} m {verdict} the {report.target:g} m asked for."
        found.append((text, "good" if report.meets_target else "bad"))
    for residual in report.outliers:
        text = f"Outlier {residual.id}: {residual.error:+.3f} m, more than 3 RMSE; it is kept in every figure."
        found.append((text, "bad"))
    for group, clean in report.without_outliers.items():
        whole = report.nva if group == "NVA" else report.vva
        if whole is not None and clean.count < whole.count:
            found.append((f"Without its outliers {group} would have an RMSE of {clean.rmse:.3f} m.", "plain"))
    found += [(f"Not assessable {one.id}: {one.why_not}.", "warn") for one in report.not_assessable]
    found += [(f"{note[:1].upper()}{note[1:]}.", "warn") for note in report.notes]
    return found or [("Nothing limits these figures.", "good")]


def _edition_1(report: AccuracyReport) -> list[tuple[str, str]]:
    found = []
    if report.nva is not None:
        found.append(("NVA", f"{report.nva.at_95:.3f} m (1.96 · RMSE)"))
    if report.vva is not None:
        found.append(("VVA", f"{report.vva.percentile_95:.3f} m (95th percentile of the absolute errors)"))
        if report.vertical_class is not None:
            limit = CLASS_OF_VVA * report.vertical_class
            verdict = "holds" if report.vva.percentile_95 <= limit else "does not hold"
            found.append(("", f"the limit of {limit:.3f} m that goes with the class {verdict}; Edition 2 sets none"))
    return found


def _map(assessed: Sequence[Residual]) -> str:
    figure, axes = drawing()
    x, y = [one.x for one in assessed], [one.y for one in assessed]
    error = np.array([one.error for one in assessed], dtype=np.float64)
    most = max(float(np.abs(error).max()), 1e-3)
    shown = axes.scatter(x, y, c=error, cmap="RdBu_r", vmin=-most, vmax=most, s=16, edgecolors=INK, linewidths=0.3)
    for one in assessed:
        if one.is_outlier:
            axes.annotate(one.id, (one.x, one.y), fontsize=6, color=RED, xytext=(3, 3), textcoords="offset points")
    as_map(axes)
    bar = figure.colorbar(shown, ax=axes, shrink=0.8)
    bar.ax.tick_params(labelsize=6)
    bar.set_label("error, m", fontsize=7)
    label(axes, "x, m", "y, m")
    return picture(figure, "Errors on the map: red where the survey is too high, blue where too low.")


def _histogram(assessed: Sequence[Residual]) -> str:
    figure, axes = drawing()
    parts = {
        name: np.array([one.error for one in assessed if one.group == name], dtype=np.float64)
        for name in ("NVA", "VVA")
    }
    parts = {name: errors for name, errors in parts.items() if len(errors)}
    every = np.concatenate(list(parts.values()))
    edges = np.histogram_bin_edges(every, bins=min(30, max(5, int(2 * len(every) ** 0.5))))
    colours = {"NVA": BLUE, "VVA": AMBER}
    axes.hist(
        list(parts.values()), bins=edges, stacked=True, color=[colours[name] for name in parts], label=list(parts)
    )
    axes.axvline(0, color=INK, linewidth=0.7)
    axes.legend(fontsize=6, frameon=False)
    label(axes, "survey minus check point, m", "check points")
    return picture(figure, "How the errors are spread.")


def _order(report: AccuracyReport) -> list[Residual]:
    """What was not assessed first, then the greatest errors."""
    return sorted(report.residuals, key=lambda one: -np.inf if one.error is None else -abs(one.error))


def _listed(one: Residual) -> tuple[object, ...]:
    surface = "–" if one.surface is None else f"{one.surface:.3f}"
    error = one.why_not if one.error is None else f"{one.error:+.3f}"
    return (one.id, f"{one.x:.2f}", f"{one.y:.2f}", f"{one.height:.3f}", surface, error, one.land_cover, one.group)
