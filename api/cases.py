"""Cases as documents, for the command line and over HTTP alike; and what a client sends of one, read at the door."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import isnan
from typing import Any

import orjson
import shapely

from api.crs_names import NamedCrs
from gis.construction.case_statistics import AtRate, KindStatistics, Share, as_row
from gis.construction.inspections import (
    Assignment,
    CaseAction,
    CaseStatus,
    Inspection,
    Outcome,
    transitions,
)
from gis.errors import BadInput, BadParameter
from gis.store.cases import CASES, Case, CasePage
from gis.tables import iso_day

TEXT_MOST = 4_000
"""Characters of a text of a body, before it is looked at."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
BIAS = (
    "Only flagged buildings are counted here, and of them those the office chose to visit: nothing is said of what was "
    "missed. Draw a sample by lot for that: diaba compliance list --sample 50 --seed 1."
)


def listed(page: CasePage) -> list[dict[str, Any]]:
    """The cases of a page, flat, each with its geometry where it was asked for."""
    return [_flat(orjson.loads(text)) for text in page.page.features]


def _flat(feature: Mapping[str, Any]) -> dict[str, Any]:
    return {**feature["properties"], "geometry": feature["geometry"]}


def table(cases: Iterable[Mapping[str, Any]], crs: NamedCrs) -> bytes:
    """The cases as CSV in UTF-8; `x` (east) and `y` (north) are a place inside of the outline, in the outline's CRS."""
    told = io.StringIO(newline="")
    writer = csv.writer(told)
    writer.writerow([*CASES.properties, "x", "y"])
    for case in cases:
        place = None if case["geometry"] is None else shapely.geometry.shape(case["geometry"]).representative_point()
        at = ("", "") if place is None else (round(place.x, crs.decimals), round(place.y, crs.decimals))
        if crs.is_north_first:
            at = at[::-1]
        writer.writerow([*(_cell(case[name]) for name in CASES.properties), *at])
    return told.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    # A spreadsheet would take a text that begins so for a formula.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def document(case: Case) -> dict[str, Any]:
    """A case with all that happened to it, and what may happen next; without geometry."""
    properties = dict(case.item.properties)
    status = CaseStatus(properties["status"])
    return {
        **properties,
        "version": case.version,
        "next": [] if properties["closed_at"] else next_actions(status),
        "inspections": list(case.inspections),
        "assignments": list(case.assignments),
        "earlier": list(case.earlier),
    }


def next_actions(status: CaseStatus) -> list[str]:
    """What people may do with a case of a status."""
    return [str(action) for before, action in transitions() if before is status and action in _BY_PEOPLE]


_BY_PEOPLE = frozenset(CaseAction) - {CaseAction.FOUND_OTHERWISE}


def statistics_document(
    kinds: Sequence[KindStatistics], *, epoch: str | None, false_alarm_rate: float | None, target: float
) -> dict[str, Any]:
    """What inspections say of each kind, and what they leave open."""
    return {
        "epoch": epoch,
        "false_alarm_rate": false_alarm_rate,
        "target": target,
        "kinds": [
            {
                **as_row(one, false_alarm_rate),
                "sentence": sentence(one, false_alarm_rate),
                "by_rate": [_at_rate(each) for each in one.by_rate],
                "by_confidence": [
                    {
                        "confidence_from": each.confidence_from,
                        "confidence_to": each.confidence_to,
                        **_share(each.share),
                        "real": None if isnan(each.real) else each.real,
                    }
                    for each in one.by_confidence
                ],
            }
            for one in kinds
        ],
        "bias": BIAS,
    }


def sentence(one: KindStatistics, false_alarm_rate: float | None) -> str:
    """What an office is told of a kind in one line."""
    at = "" if false_alarm_rate is None else f"at {100 * false_alarm_rate:g} % "
    if one.share.inspected == 0:
        return f"{at}{one.flagged} {one.kind} flagged, none inspected yet"
    low, high = one.share.interval
    share = f"{100 * one.share.value:.0f} % ({100 * low:.0f}–{100 * high:.0f} %)"
    return f"{at}you confirmed {share} of {one.share.inspected} inspected {one.kind}; {one.flagged} were flagged"


def _at_rate(one: AtRate) -> dict[str, Any]:
    return {"false_alarm_rate": one.false_alarm_rate, "flagged": one.flagged, **_share(one.share)}


def _share(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {
        "inspected": share.inspected,
        "confirmed": share.confirmed,
        "precision": None if isnan(share.value) else share.value,
        "precision_low": low,
        "precision_high": high,
    }


def inspection_of(body: Mapping[str, Any], today: date) -> Inspection:
    """What a client says somebody saw.

    Raises:
        BadInput: a member is missing, unknown, or of another kind.
    """
    _only(body, "inspected_on", "outcome", "measured_value", "note")
    outcome = body.get("outcome")
    if outcome not in tuple(Outcome):
        raise BadParameter("outcome", _short(outcome), f"give one of {', '.join(Outcome)}")
    value = body.get("measured_value")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadParameter("measured_value", _short(value), "a number is needed")
    day = _day("inspected_on", body.get("inspected_on")) or today
    return Inspection(day, Outcome(outcome), None if value is None else float(value), _text("note", body.get("note")))


def assignment_of(body: Mapping[str, Any]) -> Assignment:
    """Who a client says is to look.

    Raises:
        BadInput: a member is missing, unknown, or of another kind.
    """
    _only(body, "assignee", "until", "note")
    assignee, until = _text("assignee", body.get("assignee")), _day("until", body.get("until"))
    if assignee is None or until is None:
        raise BadInput("assignee and until are needed")
    return Assignment(assignee, until, _text("note", body.get("note")))


def _only(body: Mapping[str, Any], *names: str) -> None:
    unknown = next((name for name in body if name not in names), None)
    if unknown is not None:
        raise BadParameter(_short(unknown), "…", f"no such member; there are {', '.join(names)}")


def _day(name: str, told: Any) -> date | None:
    if told is None:
        return None
    try:
        return iso_day(told)
    except (ValueError, TypeError) as error:
        raise BadParameter(name, _short(told), "give a day such as 2026-01-31") from error


def _text(name: str, told: Any) -> str | None:
    if told is None or (isinstance(told, str) and len(told) <= TEXT_MOST):
        return told
    raise BadParameter(name, _short(told), f"a text of at most {TEXT_MOST:,} characters is needed")


def _short(told: Any) -> str:
    return ascii(told)[:40].strip("'")
