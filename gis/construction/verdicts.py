"""A judgement as a document, kept so that it can be made again from what is kept, to the byte.

What is kept is text: the proposal with all that was taken for granted, the rows of the tables that were asked, and the
result. Neither a later table nor another day changes what a replay finds; only a changed program can, and it shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import shapely

from gis.construction.checks import Check
from gis.construction.planning_rules import Judgement, judge
from gis.construction.proposal import Proposal
from gis.construction.proposal_file import Defaults, parse_proposal
from gis.construction.rule_tables import canonical_rows, digest, rows_of
from gis.errors import BadInput
from gis.settings import DEFAULT_JURISDICTION


@dataclass(frozen=True, slots=True)
class KeptVerdict:
    """A verdict as it is stored: canonical JSON texts and the digest of the rule rows."""

    proposal: str
    result: str
    rules: str
    rules_digest: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What making a kept verdict again has found."""

    same: bool
    """Whether the result is the same to the byte."""
    result: str
    """The result now."""
    why: str | None
    """Where the first difference is."""


def document_of(judgement: Judgement) -> dict[str, Any]:
    """The answer as `diaba permits check --json` prints it; what is not known is null."""
    deciding = judgement.binding
    proposal, sides = judgement.proposal, judgement.sides
    return {
        "verdict": judgement.verdict.value,
        "binding": None if deciding is None else deciding.rule.value,
        "checks": [_check(check, check is deciding) for check in judgement.checks],
        "allowed": dict(judgement.allowed),
        "use": proposal.use.value,
        "area_kind": proposal.area_kind.value,
        "filed_on": proposal.filed_on.isoformat(),
        "lot": {
            "area_m2": round(float(proposal.lot.area), 3),
            "depth_m": sides.depth,
            "fronts": [
                {"road": f.road.name, "reserve_width_m": f.road.reserve_width, "frontage_m": f.frontage}
                for f in sides.fronts
            ],
        },
        "notes": list(judgement.notes),
        "rules_digest": digest(judgement.rows),
    }


def _check(check: Check, deciding: bool) -> dict[str, Any]:
    return {
        "rule": check.rule.value,
        "source": check.source,
        "article": check.article,
        "limit": _number(check.limit, check.unit),
        "actual": _number(check.actual, check.unit),
        "unit": check.unit,
        "margin": _number(check.margin, check.unit),
        "verdict": check.verdict.value,
        "doubt": check.doubt,
        "quantity": check.quantity,
        "bound": "at_most" if check.at_most else "at_least",
        "binds": check.binds,
        "decides": deciding,
        "jurisdiction": check.jurisdiction,
        "inputs": dict(check.inputs),
        "note": check.note,
    }


def _number(value: float | None, unit: str) -> float | int | None:
    return int(value) if value is not None and unit == "floors" and float(value).is_integer() else value


def kept(judgement: Judgement) -> KeptVerdict:
    """The judgement as it is stored."""
    return KeptVerdict(
        canonical(proposal_document(judgement.proposal)),
        canonical(document_of(judgement)),
        canonical_rows(judgement.rows),
        digest(judgement.rows),
    )


def canonical(document: Mapping[str, Any]) -> str:
    """A document as one JSON text: names in order, no blanks, numbers as short as they read back the same."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def replay(stored: KeptVerdict) -> Replay:
    """Make a kept verdict again from its own proposal and its own rules.

    Raises:
        BadInput: what is stored is damaged: the digest does not fit the rules, or a text cannot be read.
    """
    tables = rows_of(stored.rules)
    if digest(tables.rows) != stored.rules_digest:
        raise BadInput("the stored rules do not have the stored digest: one of them was changed")
    result = canonical(document_of(judge(proposal_from(stored.proposal), tables)))
    return Replay(result == stored.result, result, _difference(stored.result, result))


def _difference(before: str, after: str) -> str | None:
    if before == after:
        return None
    pairs = enumerate(zip(before, after, strict=False))
    place = next((n for n, (a, b) in pairs if a != b), min(len(before), len(after)))
    return f"at character {place}: {before[place : place + 40]!r} was {after[place : place + 40]!r} now"


def proposal_document(proposal: Proposal) -> dict[str, Any]:
    """The proposal as GeoJSON with nothing left to be taken for granted; unknown properties are not kept."""
    common = {
        "use": proposal.use.value,
        "area_kind": proposal.area_kind.value,
        "filed_on": proposal.filed_on.isoformat(),
        "balcony_m": proposal.balcony,
        "temporary": proposal.temporary,
        "plan_level": proposal.plan_level,
        "basements": proposal.basements,
    }
    own = {} if proposal.masses else {**common, "height_m": proposal.design_height}
    features = [_feature("lot", proposal.lot, own)]
    features += [
        _feature("road", road.axis, {"name": road.name, "reserve_width_m": road.reserve_width})
        for road in proposal.roads
    ]
    for mass in proposal.masses:
        stated = {
            "name": mass.name,
            "floors": mass.floors,
            "height_m": mass.height,
            "height_at_building_line_m": mass.height_at_line,
            "gross_floor_area_m2": mass.gross_floor_area,
        }
        features.append(_feature("footprint", mass.footprint, {**common, **stated}))
    for zone in proposal.zones:
        limits = {
            "name": zone.name,
            "level": zone.level,
            "decision": zone.decision,
            "density_pct": zone.density_pct,
            "far": zone.far,
            "floors_max": zone.floors_max,
            "height_max_m": zone.height_max,
        }
        features.append(_feature("zone", zone.area, limits))
    # Told only where it is another one, so that what was kept before is written, and digested, as it was.
    place = {} if proposal.jurisdiction == DEFAULT_JURISDICTION else {"jurisdiction": proposal.jurisdiction}
    return {"type": "FeatureCollection", "features": features, "assumed": list(proposal.assumed), **place}


def _feature(role: str, geometry: Any, properties: Mapping[str, Any]) -> dict[str, Any]:
    stated = {name: value for name, value in properties.items() if value is not None}
    return {
        "type": "Feature",
        "properties": {"role": role, **stated},
        "geometry": json.loads(json.dumps(shapely.geometry.mapping(geometry))),
    }


def proposal_from(text: str) -> Proposal:
    """The proposal that `proposal_document` wrote.

    Raises:
        BadInput: it is damaged.
    """
    try:
        document = json.loads(text)
        assumed = tuple(str(sentence) for sentence in document["assumed"])
        stated = (f["properties"].get("filed_on") for f in document["features"])
        filed = date.fromisoformat(next(day for day in stated if day))
        place = str(document.get("jurisdiction", DEFAULT_JURISDICTION))
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise BadInput(f"a stored proposal cannot be read: {error}") from error
    return replace(parse_proposal(document, Defaults(filed, jurisdiction=place)), assumed=assumed)
