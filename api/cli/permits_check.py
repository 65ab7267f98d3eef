"""`diaba permits check`: what may be built on a lot, and whether a proposal keeps to it."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.common import emit, existing_city, json_option, png_option

if TYPE_CHECKING:
    from gis.construction.planning_rules import Judgement

USES = ("detached", "attached", "apartments", "service")


@click.command("check")
@click.argument("proposal", type=click.Path(path_type=Path))
@click.option("--use", type=click.Choice(USES), help="Use, where the file does not state it.")
@click.option("--area-kind", type=click.Choice(["existing", "new"]), help="Kind of area, where the file states none.")
@click.option(
    "--filed-on",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Day whose rules apply, where the file does not state it; today by default.",
)
@click.option("--height", type=click.FloatRange(1, 1000), metavar="M", help="Height to ask for, of a lot alone.")
@click.option(
    "--envelope",
    "envelope_path",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write the largest space a building may fill: .city.json, .city.jsonl, .obj, .glb, .gpkg.",
)
@click.option(
    "--jurisdiction", metavar="PLACE", help="Whose rules apply, e.g. VN-79; the city's by default (its city.toml)."
)
@click.option("--keep", "receipt", metavar="RECEIPT", help="Keep the verdict in the store for this receipt number.")
@png_option
@json_option
def command(
    proposal: Path,
    use: str | None,
    area_kind: str | None,
    filed_on: datetime | None,
    height: float | None,
    jurisdiction: str | None,
    envelope_path: Path | None,
    receipt: str | None,
    png: Path | None,
    as_json: bool,
) -> None:
    """Hold PROPOSAL (GeoJSON in EPSG:9210) against all planning rules; needs no database, unless --keep.

    The file is a FeatureCollection: one feature of role "lot", roads with "reserve_width_m", and footprints with
    "floors", "height_m", "use" and more; without footprints all limits are told. The exit code is 0 whatever the
    verdict.

    \b
    Examples:
      diaba permits check proposal.geojson
      diaba permits check proposal.geojson --json --filed-on 2026-07-01
      diaba permits check proposal.geojson --keep H79-2026-00017
      diaba permits check lot.geojson --use attached --envelope may_build.city.json --png lot.png
    """
    from gis.construction.planning_rules import judge
    from gis.construction.proposal import AreaKind, Use
    from gis.construction.proposal_file import Defaults, read_proposal
    from gis.construction.rule_tables import city_rules
    from gis.construction.verdicts import document_of

    defaults = Defaults(
        filed_on=filed_on.date() if filed_on else date.today(),
        use=Use(use) if use else None,
        area_kind=AreaKind(area_kind) if area_kind else None,
        height=height,
        jurisdiction=jurisdiction or _jurisdiction(),
    )
    if envelope_path is not None:
        from gis.city_model.write import writer_for

        writer_for(envelope_path)
    tables = city_rules()
    judgement = judge(read_proposal(proposal, defaults), tables)
    document = document_of(judgement)
    if envelope_path is not None:
        from gis.city_model.write import write_buildings
        from gis.construction.envelope import envelope

        space = envelope(judgement, tables)
        write_buildings([space], envelope_path, "EPSG:9210")
        document["envelope"] = {"file": str(envelope_path), "ground_m2": round(space.area, 3), "height_m": space.height}
    if png is not None:
        from api.cli.proposal_picture import draw

        draw(judgement, png)
    if receipt is not None:
        document["kept"] = {"id": _keep(judgement, receipt), "receipt_no": receipt}
    emit(document, as_json, lambda: _tell(judgement, document))


def _jurisdiction() -> str:
    """That of the city asked for, or the only one there is; no city is needed."""
    from gis.settings import DEFAULT_JURISDICTION, Settings

    settings = Settings.from_environment()
    asked = click.get_current_context().find_root().obj or settings.city_name
    return settings.city(asked).jurisdiction if asked or len(settings.cities()) < 2 else DEFAULT_JURISDICTION


def _keep(judgement: Judgement, receipt: str) -> int:
    from gis.access.roles import Role
    from gis.construction.verdicts import kept
    from gis.settings import Settings
    from gis.store import check_results
    from gis.store.database import Database

    database = Database.of(existing_city(), Settings.from_environment(), start=True)
    with database.open(Role.WRITER) as connection:
        return check_results.save(connection, kept(judgement), receipt)


def _tell(judgement: Judgement, document: dict[str, Any]) -> None:
    """The table for people: the limit that binds its quantity with *, the one that decides all with **."""
    lot = document["lot"]
    fronts = ", ".join(f"{f['frontage_m']:g} m on {f['road']} ({f['reserve_width_m']:g} m wide)" for f in lot["fronts"])
    depth = "" if lot["depth_m"] is None else f", {lot['depth_m']:g} m deep"
    click.echo(f"lot {lot['area_m2']:g} m²{depth}, {fronts or 'no road beside it'}")
    click.echo(f"{document['use']}, {document['area_kind']} area, by the rules of {document['filed_on']}\n")
    heads = ("", "rule", "limit", "actual", "margin", "unit", "verdict", "text")
    rows = [heads]
    for check in document["checks"]:
        sign = "≤" if check["bound"] == "at_most" else "≥"
        limit = "–" if check["limit"] is None else f"{sign} {check['limit']:.6g}"
        mark = "**" if check["decides"] else "*" if check["binds"] else ""
        margin = "–" if check["margin"] is None else f"{check['margin']:+.6g}"
        actual = "–" if check["actual"] is None else f"{check['actual']:.6g}"
        of = [check["inputs"].get("road") if len(lot["fronts"]) > 1 else None, check["inputs"].get("mass")]
        text = "; ".join((f"{check['source']}, {check['article']}", *filter(None, of)))
        rows.append((mark, check["rule"], limit, actual, margin, check["unit"], check["verdict"], text))
    widths = [max(len(row[n]) for row in rows) for n in range(len(heads))]
    for row, check in zip(rows, [None, *document["checks"]], strict=True):
        cells = [c.rjust(w) if 1 < n < 5 else c.ljust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
        click.echo("  ".join(cells).rstrip())
        for name, said in (("doubt", check["doubt"]), ("note", check["note"])) if check else ():
            if said:
                click.echo(f"{'':{widths[0] + 2}}  {name}: {said}")
    click.echo("\n*: the strictest of its quantity; **: what decides" if judgement.binding else "")
    for note in document["notes"]:
        click.echo(f"note: {note}")
    if "envelope" in document:
        space = document["envelope"]
        click.echo(f"envelope: {space['ground_m2']:g} m² on the ground, up to {space['height_m']:g} m: {space['file']}")
    if "kept" in document:
        click.echo(f"kept as {document['kept']['id']} for {document['kept']['receipt_no']}")
    click.echo(f"verdict: {document['verdict']}{_because(document)}")


def _because(document: dict[str, Any]) -> str:
    return "" if document["binding"] is None else f" ({document['binding']})"
