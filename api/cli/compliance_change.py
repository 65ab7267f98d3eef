"""`diaba compliance change`: what changed between two surveys of the city."""

from __future__ import annotations

from collections import Counter

import click

from api.cli.common import emit, existing_city, json_option, progress, rectangle


@click.command("change")
@click.option("--from", "from_epoch", required=True, metavar="NAME", help="The earlier survey.")
@click.option("--to", "to_epoch", required=True, metavar="NAME", help="The later survey.")
@click.option("--area", metavar="X0,Y0,X1,Y1", help="Only here, in the register's CRS; what is known elsewhere stays.")
@click.option(
    "--false-alarm-rate",
    type=click.FloatRange(1e-6, 0.49),
    default=0.01,
    show_default=True,
    help="Accepted share of unchanged buildings that are flagged, for each kind of change.",
)
@json_option
def command(from_epoch: str, to_epoch: str, area: str | None, false_alarm_rate: float, as_json: bool) -> None:
    """Find buildings that are new, gone, taller, lower, extended or reduced between two surveys, and keep them.

    By how much the later survey lies beside the earlier one is seen on what did not change, and taken out.

    \b
    Examples:
      diaba compliance change --from 2025 --to 2027
      diaba compliance change --from 2025 --to 2027 --area 603000,1191000,604000,1192000 --json
    """
    from api.change import compare_epochs
    from gis.crs import horizontal
    from gis.settings import Settings
    from gis.store.database import Database
    from lidar.change.buildings import ChangeParameters

    city = existing_city()
    database = Database.of(city, Settings.from_environment(), start=True)
    box = None if area is None else rectangle(area, horizontal(city.crs))
    with progress("comparing", None) as advance:
        shown = 0

        def told(done: int, total: int) -> None:
            nonlocal shown
            advance(done - shown, total)
            shown = done

        found = compare_epochs(
            database,
            city,
            from_epoch,
            to_epoch,
            area=box,
            parameters=ChangeParameters(false_alarm_rate=false_alarm_rate),
            advance=told,
        )
    comparison = found.comparison
    counts = dict(sorted(Counter(one.change.value for one in found.changes).items()))
    document = {
        "from": from_epoch,
        "to": to_epoch,
        "false_alarm_rate": false_alarm_rate,
        "shift": {name: getattr(comparison, name) for name in ("east", "north", "up")},
        "sigma_shift": {name: getattr(comparison, f"sigma_{name}") for name in ("east", "north", "up")},
        "changed": len(found.changes),
        "by_change": counts,
        "changes": [
            {
                "building": one.uid,
                "parcel": parcel,
                "change": one.change.value,
                "delta": one.delta,
                "unit": one.unit,
                "sigma": one.sigma,
                "confidence": one.confidence,
            }
            for one, parcel in zip(found.changes, found.parcels, strict=True)
        ],
    }

    def text() -> None:
        plan = "in plan unknown"
        if comparison.sigma_east is not None and comparison.sigma_north is not None:
            plan = (
                f"{comparison.east:+.3f} ± {comparison.sigma_east:.3f} m east, "
                f"{comparison.north:+.3f} ± {comparison.sigma_north:.3f} m north"
            )
        up = "" if comparison.sigma_up is None else f", {comparison.up:+.3f} ± {comparison.sigma_up:.3f} m up"
        click.echo(f"{to_epoch} lies {plan}{up} of {from_epoch}; taken out")
        click.echo(f"{len(found.changes)} buildings changed: {', '.join(f'{n} {kind}' for kind, n in counts.items())}")
        for one, parcel in zip(found.changes, found.parcels, strict=True):
            click.echo(
                f"{one.change.value:10} building {one.uid}  parcel {parcel or '–'}  "
                f"{one.delta:+.1f} ± {one.sigma:.1f} {one.unit}"
            )

    emit(document, as_json, text)
