"""The pages of a sheet as one HTML document that needs nothing else: for a browser as it is, and for the PDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final, Literal
from zoneinfo import ZoneInfo

import segno

from api.evidence.map_picture import map_picture
from api.evidence.model_picture import model_picture
from api.evidence.section_picture import section_picture
from api.evidence.sheet import Comparison, EvidenceSheet, Finding, Limit, Step
from api.evidence.style import STYLE
from api.evidence.svg import data_uri
from api.evidence.texts import WORDS, Language, Words

ZONE: Final = ZoneInfo("Asia/Ho_Chi_Minh")
"""Where a sheet's day is told."""
SHORT: Final = frozenset({"setback", "ground_level", "unfinished"})
"""Kinds where less was measured than there should be."""
BOUNDLESS: Final = frozenset({"no_permit", "demolished", "standing"})
"""Kinds without a figure that would be allowed."""
SURE: Final = 0.9999
"""A probability that is not told closer: the errors are not known to be normal so far out."""
UNITS: Final = {"m2": "m²"}


@dataclass(frozen=True, slots=True)
class Edition:
    """One way a sheet is printed: nothing but language, place to verify, and the moment it was first made."""

    language: Language
    address: str
    """Of the page that verifies it, `…/evidence/{digest}`."""
    made_at: datetime
    form: Literal["html", "pdf"] = "html"


def page(sheet: EvidenceSheet, edition: Edition) -> str:
    """The document; equal sheets and editions give equal text."""
    words = WORDS[edition.language]
    title = f"{words['title']} · {_name(sheet, words)}"
    body = "".join(
        (
            _head(sheet, words, edition),
            _pictures(sheet, words),
            _compared(sheet, words),
            _measured(sheet, words),
            _limits(sheet, words),
            _registers(sheet, words),
            _method(sheet, words),
            _history(sheet, words),
            _proof(sheet, words, edition),
        )
    )
    foot = f"{words['title']} · {_name(sheet, words)} · SHA-256 {sheet.digest[:16]}…"
    page_of = (
        f'@page {{ @bottom-right {{ content: "{words["page"]} " counter(page) " {words["of"]} " counter(pages) }} '
    )
    page_of += f'@bottom-left {{ content: "{_css(foot)}" }} }}'
    return (
        f'<!DOCTYPE html><html lang="{edition.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f'<meta name="description" content="{escape(words["notice"])}">'
        '<meta name="author" content="diaba">'
        f'<meta name="dcterms.created" content="{edition.made_at.isoformat(timespec="seconds")}">'
        f"<style>{STYLE}{page_of}</style></head><body><main>{body}</main></body></html>"
    )


def _name(sheet: EvidenceSheet, words: Words) -> str:
    if sheet.finding is not None:
        return f"{words['case']} {sheet.finding.case[:12]}"
    return f"{words['building']} {sheet.measured.building}"


def _head(sheet: EvidenceSheet, words: Words, edition: Edition) -> str:
    code = segno.make(edition.address, error="m", micro=False)
    day = words.day(edition.made_at.astimezone(ZONE).date().isoformat())
    finding = sheet.finding
    rows = [(words["building"], sheet.measured.building), (words["made"], day)]
    if finding is not None:
        rows = [
            (words["case"], finding.case),
            (words["what"], words.of("kind", finding.kind)),
            (words["status"], words.of("status", finding.status)),
            *rows,
        ]
    subtitle = words["subtitle_case"] if finding is not None else words["subtitle_building"]
    invented = f'<p class="invented">{escape(words["invented"])}</p>' if sheet.invented else ""
    return (
        f'<header><figure class="qr"><img src="{code.png_data_uri(scale=8, border=2)}" '
        f'alt="{escape(words["verify_note"].format(address=edition.address))}">'
        f"<figcaption>{escape(words['verify_qr'])}</figcaption></figure>"
        f"<h1>{escape(words['title'])}</h1><p class='subtitle'>{escape(subtitle)}</p>{invented}{_facts(rows)}</header>"
        f'<p class="conclusion"><strong>{escape(conclusion(sheet, words))}</strong></p>'
        f'<p class="notice">{escape(words["notice"])}</p>'
    )


def conclusion(sheet: EvidenceSheet, words: Words) -> str:
    """What the sheet says, in a sentence or two."""
    finding = sheet.finding
    if finding is not None:
        values = {
            "kind": _kind(finding, words),
            "actual": words.figure(finding.actual, finding.sigma, finding.unit),
            "limit": words.figure(finding.limit, None, finding.unit),
            "delta": _delta(finding, words),
            "confidence": _share(finding.confidence, words),
        }
        return words(_sentence(finding), **values)
    verdicts: set[str] = {one.verdict for one in sheet.comparisons}
    said = [words[f"conclusion_{_overall(verdicts)}"]]
    if (over := _top_over(sheet)) is not None:
        said.append(words("conclusion_top", height=words.number(over)))
    if sheet.open_cases:
        said.append(words("conclusion_flagged", count=sheet.open_cases))
    return " ".join(said)


def _sentence(finding: Finding) -> str:
    """The name of the sentence that says what was found."""
    if finding.kind in ("demolished", "standing"):
        return f"conclusion_{finding.kind}"
    if finding.kind in SHORT:
        return "conclusion_short"
    return "conclusion_case" if finding.limit else "conclusion_case_plain"


def _kind(finding: Finding, words: Words) -> str:
    """What is different; of a zone, in which of its limits."""
    kind = words.of("kind", finding.kind)
    limit = finding.evidence.get("limit")
    return f"{kind} ({words.of('zone', str(limit))})" if finding.kind == "zone" and limit else kind


def _top_over(sheet: EvidenceSheet) -> float | None:
    """Metres by which the roof's highest point is above permit and tolerance, where the roof itself is not."""
    top, ground = sheet.measured.roof_height_max, sheet.measured.ground_height
    height = next((one for one in sheet.comparisons if one.quantity == "height"), None)
    if top is None or ground is None or height is None or height.verdict == "beyond":
        return None
    over = top - ground - height.limit
    return over if over > height.tolerance else None


def _overall(verdicts: set[str]) -> str:
    if not verdicts:
        return "nothing"
    return next(name for name in ("beyond", "open", "within") if name in verdicts)


def _delta(finding: Finding, words: Words) -> str:
    if finding.delta is None:
        return "–"
    if finding.kind in (*SHORT, *BOUNDLESS):
        return words.figure(finding.delta, finding.sigma, finding.unit)
    spread = "" if finding.sigma is None else f" ± {words.number(finding.sigma)}"
    return f"{words.signed(finding.delta)}{spread} {words.of('unit', finding.unit or '')}".rstrip()


def _share(value: float | None, words: Words) -> str:
    """A probability in per cent, not closer than it means something."""
    if value is None:
        return "–"
    if value > SURE:
        return words("more_than", value=f"{words.number(100 * SURE)} %")
    if value < 1 - SURE:
        return words("less_than", value=f"{words.number(100 * (1 - SURE))} %")
    return f"{words.number(100 * value)} %"


def _pictures(sheet: EvidenceSheet, words: Words) -> str:
    section = sheet.drawing.section
    hatched = sheet.permit is not None and sheet.permit.height is not None
    caption = words("section_caption", width=words.number(section.half_width / 100), vertical=sheet.vertical)
    return (
        '<div class="side">'
        + _figure(words["map"], map_picture(sheet, words).uri, words["map_alt"], words("map_caption", crs=sheet.crs))
        + _figure(
            words["model"],
            data_uri(model_picture(sheet), "image/png"),
            words["model_alt"],
            words["model_caption" if hatched else "model_caption_plain"],
        )
        + "</div>"
        + _figure(words["section"], section_picture(sheet, words).uri, words["section_alt"], caption, "wide")
    )


def _figure(title: str, source: str, alt: str, caption: str, kind: str = "half") -> str:
    return (
        f'<section class="{kind}"><h2>{escape(title)}</h2><figure><img src="{source}" alt="{escape(alt)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure></section>"
    )


def _compared(sheet: EvidenceSheet, words: Words) -> str:
    flagged = "" if sheet.finding is None else _flagged(sheet.finding, words)
    if not sheet.comparisons:
        return flagged
    head = [words[name] for name in ("quantity", "value", "limit", "difference", "allowance", "result")]
    rows = [_comparison(one, words) for one in sheet.comparisons]
    k = words.number(sheet.comparisons[0].k)
    return flagged + _section(
        words["comparisons"], _table(head, rows, numeric=(1, 2, 3, 4)), words("comparisons_caption", k=k)
    )


def _comparison(one: Comparison, words: Words) -> list[str]:
    delta = one.actual - one.limit
    allowed = f"{words.number(one.tolerance)} + {words.number(one.k * one.sigma)} {one.unit}"
    return [
        words.of("compared", one.quantity),
        words.figure(one.actual, one.sigma, one.unit),
        words.figure(one.limit, None, one.unit),
        f"{words.signed(delta)} {one.unit}",
        allowed,
        words.of("verdict", one.verdict),
    ]


def _flagged(finding: Finding, words: Words) -> str:
    rows = [
        (words["what"], _kind(finding, words)),
        (words["finding_actual"], words.figure(finding.actual, finding.sigma, finding.unit)),
    ]
    if finding.kind not in BOUNDLESS:
        rows.append((words["finding_limit"], words.figure(finding.limit, None, finding.unit)))
    rows += [
        (words["finding_short" if finding.kind in SHORT else "finding_delta"], _delta(finding, words)),
        (words["finding_confidence"], _share(finding.confidence, words)),
    ]
    told = "; ".join(
        f"{words.of('evidence', name)}: {_detail(name, value, words)}"
        for name, value in finding.evidence.items()
        if value not in (None, "")
    )
    return _section(words["flagged"], _facts([*rows, *([(words["finding_evidence"], told)] if told else [])]))


_CODES: Final = {"outline": "outline", "side": "side", "limit": "zone", "also": "zone", "type": "type"}


def _detail(name: str, value: str | float | bool | None, words: Words) -> str:
    """A detail's value in words: numbers, days and codes as the language has them."""
    if isinstance(value, float):
        return words.number(value)
    said = str(value)
    if name in _CODES:
        return ", ".join(words.of(_CODES[name], code) for code in said.split(", "))
    if name in ("due", "surveyed"):
        # In a stranger's sheet it may be no day.
        with suppress(ValueError):
            return words.day(said)
    return said


def _measured(sheet: EvidenceSheet, words: Words) -> str:
    one = sheet.measured
    share = None if one.no_data_share is None else 100 * one.no_data_share
    rows = [
        [words["figure_height"], words.figure(one.height, one.sigma_height, "m")],
        [words["figure_ground"], words.figure(one.ground_height, None, "m")],
        [words["figure_roof_max"], words.figure(one.roof_height_max, None, "m")],
        [words["figure_area"], words.figure(one.area, one.sigma_area, "m²")],
        [words["figure_outline"], words.figure(one.sigma_outline, None, "m")],
    ]
    if one.storeys is not None:
        value = words("figure_storeys_value", value=one.storeys, least=one.storeys_least, most=one.storeys_most)
        rows.append([words["figure_storeys"], value])
    dense = {"points": one.points, "density": words.number(one.density, 1), "share": words.number(share, 1)}
    rows.append([words["figure_points"], words("figure_points_value", **dense)])
    rows.append([words["figure_lod"], f"LoD {one.level_of_detail}"])
    return _section(words["figures"], _table([words["quantity"], words["value"]], rows))


def _limits(sheet: EvidenceSheet, words: Words) -> str:
    if not sheet.limits:
        return ""
    rows = [
        [
            words.of("limit", one.quantity),
            _bound(one, words),
            words(f"source.{one.kind}", name=_cited(one.source, words)),
        ]
        for one in sheet.limits
    ]
    notes = [words["limits_doubt"]] if any(one.doubt for one in sheet.limits) else []
    if not any(one.kind == "rule" for one in sheet.limits):
        notes.append(words["limits_none_rules"])
    return _section(
        words["limits"], _table([words["quantity"], words["limit"], words["source"]], rows), " ".join(notes)
    )


def _bound(one: Limit, words: Words) -> str:
    digits = 0 if one.value == int(one.value) else 2
    value = f"{words.number(one.value, digits)} {words.of('unit', one.unit)}".rstrip()
    return words("at_most" if one.at_most else "at_least", value=value) + (" (?)" if one.doubt else "")


def _cited(source: str, words: Words) -> str:
    for name in ("Annex", "Table", "Article"):
        source = source.replace(name, words[f"text.{name}"])
    return source


def _registers(sheet: EvidenceSheet, words: Words) -> str:
    parcel, permit, survey = sheet.parcel, sheet.permit, sheet.survey
    of_parcel = f"<p>{escape(words['parcel_none'])}</p>"
    if parcel is not None:
        holders = "; ".join(sheet.holders or ()) or words["holders_none" if sheet.holders == () else "holders_hidden"]
        of_parcel = _facts(
            [
                (words["parcel_number"], f"{parcel.sheet or '–'} / {parcel.number or '–'} ({parcel.uid})"),
                (words["ward"], parcel.ward or "–"),
                (words["address"], parcel.address or "–"),
                (words["land_use"], parcel.land_use or "–"),
                (words["area_legal"], words.figure(parcel.area_legal, None, "m²", 1)),
                (words["area_measured"], words.figure(parcel.area_measured, None, "m²", 1)),
                (words["holders"], holders),
            ]
        )
    of_permit = f"<p>{escape(words['permit_none'])}</p>"
    if permit is not None:
        floors = words("permit_floors_value", floors=permit.floors or "–", height=words.number(permit.height))
        areas = f"{words.figure(permit.ground_area, None, 'm²', 1)} / {words.figure(permit.floor_area, None, 'm²', 1)}"
        of_permit = _facts(
            [
                (words["permit_number"], permit.number),
                (words["permit_issued"], f"{words.day(permit.issued)} – {words.day(permit.expires)}"),
                (words["permit_status"], f"{words.of('type', permit.type)}; {words.of('status', permit.status)}"),
                (words["permit_floors"], floors),
                (words["permit_area"], areas),
            ]
        )
    density = "–" if survey.density is None else words("survey_density_value", value=words.number(survey.density, 1))
    of_survey = _facts(
        [
            (words["survey_epoch"], survey.epoch),
            (words["survey_days"], f"{words.day(survey.first_day)} – {words.day(survey.last_day)}"),
            (words["survey_density"], density),
            (words["survey_noise"], words.figure(survey.point_noise, None, "m", 3)),
        ]
    )
    return (
        _section(words["parcel"], of_parcel)
        + _section(words["permit"], of_permit)
        + _section(words["survey"], of_survey)
    )


def _method(sheet: EvidenceSheet, words: Words) -> str:
    not_proven = "".join(f"<li>{escape(words[f'not_{number}'])}</li>" for number in range(1, 6))
    return _section(words["method"], f"<p>{escape(words('method_text', crs=sheet.crs))}</p>") + _section(
        words["limits_of_proof"], f"<ul>{not_proven}</ul>"
    )


def _history(sheet: EvidenceSheet, words: Words) -> str:
    if sheet.finding is None:
        body = f"<p>{escape(words['history_none'])}</p>"
    else:
        rows = [
            [words.day(_local_day(step.since)), words.of("status", step.status), _seen(step, sheet.finding, words)]
            for step in sheet.history
        ]
        body = _table([words["history_since"], words["status"], words["history_seen"]], rows)
    blank = "".join(f"<p>{escape(words[name])}</p>" for name in ("inspection_text", "inspection_boxes"))
    return (
        _section(words["history"], body)
        + f'<section class="blank"><h2>{escape(words["inspection"])}</h2>{blank}</section>'
    )


def _seen(step: Step, finding: Finding, words: Words) -> str:
    """What somebody found on the ground."""
    if step.outcome is None:
        return "–"
    measured = "" if step.measured is None else f"; {words.figure(step.measured, None, finding.unit)}"
    return f"{words.day(step.inspected_on)}: {words.of('outcome', step.outcome)}{measured}"


def _local_day(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(ZONE).date().isoformat()


def _proof(sheet: EvidenceSheet, words: Words, edition: Edition) -> str:
    rows = []
    for one in sheet.inputs:
        version = "" if one.version is None else f", {words('version', version=one.version)}"
        rows.append([words.of("input", one.what), f"{one.name}{version}", one.sha256])
    values = {"digest": sheet.digest, "software": sheet.software, "address": edition.address}
    text = words("proof_text" if edition.form == "pdf" else "proof_html", **values)
    table = _table([words["what"], words["input_name"], "SHA-256"], rows, kind="inputs")
    return _section(words["inputs"], table) + _section(words["proof"], f'<p class="proof">{escape(text)}</p>')


def _section(title: str, body: str, caption: str = "") -> str:
    note = f'<p class="note">{escape(caption)}</p>' if caption else ""
    return f"<section><h2>{escape(title)}</h2>{body}{note}</section>"


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    return f'<table class="facts"><tbody>{cells}</tbody></table>'


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: Sequence[int] = (), kind: str = "figures"
) -> str:
    def cells() -> Iterator[str]:
        for row in rows:
            yield "<tr>"
            for number, value in enumerate(row):
                at = ' class="number"' if number in numeric else ""
                yield f"<td{at}>{escape(value)}</td>" if number else f'<th scope="row">{escape(value)}</th>'
            yield "</tr>"

    titles = "".join(
        f'<th scope="col"{" class=number" if number in numeric else ""}>{escape(title)}</th>'
        for number, title in enumerate(head)
    )
    return f'<table class="{kind}"><thead><tr>{titles}</tr></thead><tbody>{"".join(cells())}</tbody></table>'


def _css(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("<", "\\3c ")
