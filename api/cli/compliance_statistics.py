"""`diaba compliance statistics`: what inspections say of what is flagged."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import click

from api.cli.common import emit, json_option
from api.cli.compliance_common import only_survey, percent, store

if TYPE_CHECKING:
    from gis.construction.audit_sample import Rate
    from gis.store.audit_samples import Sample


@click.command("statistics")
@click.option("--epoch", metavar="NAME", help="Only of this survey.")
@click.option(
    "--target",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.8,
    show_default=True,
    help="Share of real ones a recommended false-alarm rate must reach, with the lower end of its interval.",
)
@click.option("--sample", type=int, metavar="N", help="Also the rates that a sample by lot shows; see `list --sample`.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of --sample.")
@json_option
def command(epoch: str | None, target: float, sample: int | None, seed: int, as_json: bool) -> None:
    """Of each kind how many were flagged, inspected and confirmed, and which false-alarm rate the outcomes recommend.

    Intervals hold the true share in 95 of 100 cases. Only flagged buildings are counted, so nothing is said of what was
    missed; a sample by lot tells that.

    \b
    Examples:
      diaba compliance statistics
      diaba compliance statistics --epoch 2025 --target 0.9 --json
      diaba compliance statistics --sample 50 --seed 1
    """
    from api.cases import statistics_document
    from gis.access.roles import Role
    from gis.construction.audit_sample import SampleName
    from gis.store import audit_samples, cases

    database = store()
    name = None if sample is None else SampleName(only_survey(database, epoch), sample, seed)
    with database.open(Role.READER) as connection:
        kinds, rate = cases.kind_statistics(connection, epoch, target=target)
        drawn = None if name is None else audit_samples.sample(connection, name)
    document = statistics_document(kinds, epoch=epoch, false_alarm_rate=rate, target=target)
    if drawn is not None:
        document["sample"] = _sample(drawn)
    emit(document, as_json, lambda: _tell(document))


def _sample(drawn: Sample) -> dict[str, Any]:
    flagged, unflagged = drawn.strata
    rates = drawn.achieved
    return {
        "size": drawn.name.size,
        "seed": drawn.name.seed,
        **{
            name: {"population": one.population, "inspected": one.inspected, "real": one.real}
            for name, one in (("flagged", flagged), ("unflagged", unflagged))
        },
        "false_alarms": _rate(rates.false_alarms),
        "misses": _rate(rates.misses),
    }


def _rate(rate: Rate) -> dict[str, float | None]:
    return {"value": None if isnan(rate.value) else rate.value, "low": rate.low, "high": rate.high}


def _tell(document: dict[str, Any]) -> None:
    heads = ("flagged", "open", "closed", "inspected", "confirmed", "dismissed")
    click.echo(f"{'kind':12} {' '.join(f'{head:>9}' for head in heads)}  {'real (95 %)':20} inspect still")
    for one in document["kinds"]:
        share = f"{percent(one['precision'])} ({percent(one['precision_low'])} to {percent(one['precision_high'])})"
        counts = " ".join(f"{one[head]:9}" for head in heads)
        click.echo(f"{one['kind']:12} {counts}  {share:20} {one['further_inspections']}")
    for one in document["kinds"]:
        click.echo(one["sentence"])
        if one["recommended_rate"] is not None:
            click.echo(
                f"  a rate of {100 * one['recommended_rate']:g} % flags {one['recommended_flagged']}, "
                f"{percent(one['recommended_precision'])} of the inspected among them real"
            )
        elif one["inspected"]:
            click.echo(f"  no rate reaches {percent(document['target'])} for sure yet")
    click.echo(document["bias"])
    if (sample := document.get("sample")) is not None:
        words = {"false_alarms": "of the legal buildings are flagged", "misses": "of the differences are missed"}
        for name, what in words.items():
            rate = sample[name]
            click.echo(f"by lot: {percent(rate['value'])} ({percent(rate['low'])} to {percent(rate['high'])}) {what}")
