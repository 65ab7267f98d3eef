"""The words of a sheet in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENGLISH: Final[Mapping[str, str]] = {
    "title": "Evidence sheet",
    "subtitle_case": "Difference between the measured building and permit and registers",
    "subtitle_building": "Measured building held against its permit",
    "case": "Case",
    "building": "Building",
    "status": "Status",
    "what": "What",
    "made": "Made on",
    "invented": "SIMULATED CITY – all names and figures are invented",
    "verify_qr": "Scan to verify",
    "verify_note": "Verify at {address}",
    "page": "Page",
    "of": "of",
    "notice": (
        "This sheet states what was measured, for a person to inspect on the ground. It finds no breach and "
        "accuses nobody."
    ),
    "conclusion_case": (
        "{kind}: measured {actual}, limit {limit}; difference {delta}. With the errors stated, the "
        "probability that the true difference exceeds the tolerance is {confidence}."
    ),
    "conclusion_case_plain": (
        "{kind}: measured {actual}; difference {delta}. With the errors stated, the probability that the true"
        " difference exceeds the tolerance is {confidence}."
    ),
    "conclusion_short": (
        "{kind}: measured {actual}, by the permit {limit}; short of it by {delta}. With the errors stated, the "
        "probability that it is short by more than the tolerance is {confidence}."
    ),
    "conclusion_demolished": (
        "{kind}: where the map has it the survey sees {actual}. With the errors stated, the probability that this is "
        "more than courts and light wells may be is {confidence}."
    ),
    "conclusion_standing": "{kind}: on the day of the survey it stood {actual} high.",
    "more_than": "above {value}",
    "less_than": "below {value}",
    "conclusion_within": (
        "Within what is permitted as far as the survey can tell: no quantity below exceeds its limit by more "
        "than the tolerance."
    ),
    "conclusion_open": (
        "The survey cannot decide: a quantity exceeds limit and tolerance, but not by more than the "
        "measurement's error."
    ),
    "conclusion_beyond": (
        "A quantity exceeds its limit by more than tolerance and measurement error; to be inspected on the ground."
    ),
    "conclusion_flagged": (
        "At this building {count} differences are to be inspected; this sheet does not stand for theirs."
    ),
    "conclusion_top": (
        "The roof's highest point is {height} m above the permitted height; whether parapet, stair head and "
        "tank count is for the authority to say."
    ),
    "input_name": "Name, version",
    "conclusion_nothing": "There is no permit and no limit to hold it against.",
    "map": "Map",
    "map_caption": "{crs}, metres. The grey band along the outline is ±1σ of it. A–A′: section.",
    "map_alt": "Map of the parcel, the measured building, the permitted footprint and the road",
    "map_parcel": "Parcel",
    "map_permitted": "Permitted footprint",
    "map_building": "Measured building, ±1σ",
    "map_neighbour": "Other buildings",
    "map_parcels": "Other parcels, number",
    "map_reserve": "Road reserve",
    "map_setback": "Setback line",
    "map_section": "Section A–A′",
    "model": "3D picture",
    "model_caption": (
        "Measured model with its points; glass with dashed edges: the permitted space. What is hatched lies "
        "above the permitted height. Buildings in front are drawn as outlines."
    ),
    "model_caption_plain": "Measured model with its points. Buildings in front are drawn as outlines.",
    "model_alt": "Three-dimensional picture of the measured building and the permitted space",
    "section": "Section A–A′ through the point cloud",
    "section_caption": (
        "Points within {width} m of the line. Vertical and horizontal scale are the same. Heights: {vertical}."
    ),
    "section_alt": "Section: points, ground, measured roof and permitted height",
    "section_ground": "Ground {height} m",
    "section_roof": "Measured roof, {figure} high",
    "section_permitted": "Permitted height {height} m",
    "section_tolerance": "Tolerance, {height} m more",
    "section_height": "Height, m",
    "section_distance": "Distance along A–A′, m",
    "section_roof_points": "points on the building's roof",
    "section_ground_points": "ground points",
    "section_other_points": "other points",
    "section_model": "the building's model",
    "figures": "Measured figures",
    "quantity": "Quantity",
    "value": "Value ± σ",
    "figure_height": "Height above ground",
    "figure_ground": "Ground level at its foot",
    "figure_roof_max": "Highest point of the roof (stair head and tank included)",
    "figure_area": "Ground area",
    "figure_outline": "σ of the outline",
    "figure_storeys": "Storeys, estimated from the height",
    "figure_storeys_value": "{value} ({least} to {most})",
    "figure_points": "Points on the roof",
    "figure_points_value": "{points} points; {density} points/m²; {share} % of the roof without any",
    "figure_lod": "Level of detail of the model",
    "comparisons": "Comparison",
    "limit": "Limit",
    "difference": "Difference",
    "allowance": "Tolerance + k·σ",
    "result": "Result",
    "comparisons_caption": (
        "“Beyond” is said only where the difference is larger than tolerance plus k·σ; k = {k} follows from "
        "the false-alarm rate the office chose."
    ),
    "flagged": "Difference as recorded",
    "finding_actual": "Measured",
    "finding_limit": "Limit",
    "finding_delta": "Difference",
    "finding_short": "Short by",
    "finding_confidence": "Probability beyond tolerance",
    "finding_evidence": "Detail",
    "limits": "Limits that apply, and where they are written",
    "source": "Source",
    "source.permit": "Permit {name}",
    "source.zone": "Plan: {name}",
    "source.rule": "{name}",
    "limits_doubt": "(?) The figure is doubtful in the copy of the text at hand.",
    "limits_none_rules": (
        "For the day the permit was given the tables hold no rule of the texts; permit and plan alone are told."
    ),
    "at_most": "at most {value}",
    "at_least": "at least {value}",
    "parcel": "Parcel",
    "parcel_number": "Sheet / parcel",
    "ward": "Ward",
    "address": "Address",
    "land_use": "Land use",
    "area_legal": "Legal area",
    "area_measured": "Area on the map",
    "holders": "Right holders",
    "holders_hidden": "not printed: the reader may not see personal data",
    "holders_none": "none in the register",
    "parcel_none": "The parcel is not known, or the reader may not see it.",
    "permit": "Building permit",
    "permit_number": "Number",
    "permit_issued": "Issued – expires",
    "permit_status": "Type, status",
    "permit_floors": "Floors, height",
    "permit_floors_value": "{floors} floors; {height} m",
    "permit_area": "Ground / floor area",
    "permit_none": "No permit stands for this building.",
    "survey": "LIDAR survey",
    "survey_epoch": "Campaign",
    "survey_days": "Days of the survey",
    "survey_density": "Point density",
    "survey_density_value": "{value} points/m²",
    "survey_noise": "Point noise on the roof (σ)",
    "method": "Method",
    "method_text": (
        "The building was scanned from an aircraft by LIDAR; points of roof and ground were told apart, and "
        "from them follow the model, the height and the outline, each with its standard deviation σ. These "
        "figures are held against parcel, permit and plan as registered, in {crs}. A difference is stated "
        "only where it is larger than the office's tolerance plus k times σ, and a person on the ground "
        "always decides."
    ),
    "limits_of_proof": "What this sheet does not prove",
    "not_1": "Who built, when and why: it is about the building on the day of the survey.",
    "not_2": (
        "The number of storeys: they are not seen from the air; the figure is an estimate, and one height can"
        " be few high storeys or many low ones."
    ),
    "not_3": "What is hidden: under eaves and trees, indoors, basements; what the building is used for.",
    "not_4": "That the register is right: a permit, an amendment or a boundary may not have been entered.",
    "not_5": (
        "The legal height: what the permit counts (from which level, parapet and stair head or not) is for "
        "the authority to say."
    ),
    "history": "History of the case",
    "history_since": "Since",
    "history_seen": "Seen on the ground",
    "history_none": "The building is of no case.",
    "inspection": "On the ground",
    "inspection_text": (
        "Date: ............................   Officer: ......................................................"
        "   Measured on the ground: ............................"
    ),
    "inspection_boxes": "☐ as the sheet says    ☐ within limits    ☐ register wrong or missing    ☐ no access",
    "inputs": "Inputs (SHA-256)",
    "input.case": "Difference",
    "input.building": "Measured building",
    "input.parcel": "Parcel",
    "input.permit": "Permit",
    "input.points": "Classified points",
    "input.survey": "Survey file",
    "version": "version {version}",
    "proof": "Verify this sheet",
    "proof_text": (
        "SHA-256 of the content: {digest}. The canonical content (JSON, RFC 8785) is attached to the PDF: "
        "evidence.json. Software diaba {software}. To verify: scan the QR code, open {address}, or run “diaba"
        " compliance verify FILE.pdf”."
    ),
    "proof_html": (
        "SHA-256 of the content: {digest}. Software diaba {software}. To verify: scan the QR code or open "
        "{address}. The PDF has the canonical content attached."
    ),
    "kind.no_permit": "No permit",
    "kind.storeys": "Higher than permitted by about a storey or more",
    "kind.footprint": "Outside of the permitted footprint",
    "kind.parcel_line": "Over the parcel line",
    "kind.setback": "Inside of the setback",
    "kind.reserve": "In the road reserve",
    "kind.zone": "Over the zone's limits",
    "kind.ground_level": "Ground below the permitted level",
    "kind.demolished": "The building is gone",
    "kind.standing": "Still standing after a demolition notice or the end of a temporary permit",
    "kind.unfinished": "Less stands than permitted",
    "status.flagged": "not inspected",
    "status.assigned": "assigned",
    "status.confirmed": "confirmed",
    "status.dismissed": "dismissed",
    "status.resolved": "resolved",
    "status.valid": "valid",
    "status.expired": "expired",
    "status.revoked": "revoked",
    "status.superseded": "superseded",
    "type.new": "new",
    "type.legacy": "legacy",
    "type.renovation": "renovation",
    "type.temporary": "temporary",
    "verdict.within": "within",
    "verdict.open": "cannot be decided",
    "verdict.beyond": "beyond",
    "compared.height": "Height",
    "compared.outside_permitted": "Reach beyond the permitted footprint",
    "compared.over_parcel_line": "Reach over the parcel line",
    "compared.setback_front": "Front setback (least)",
    "limit.height": "Height",
    "limit.floors": "Floors",
    "limit.ground_area": "Ground area",
    "limit.floor_area": "Gross floor area",
    "limit.setback_front": "Front setback",
    "limit.setback_rear": "Rear setback",
    "limit.building_density": "Building density",
    "limit.floor_area_ratio": "Floor area ratio",
    "limit.height_at_building_line": "Height at the building line",
    "unit.floors": "floors",
    "unit.storeys": "storeys",
    "unit.storey": "storeys",
    "unit.m2": "m²",
    "evidence.permitted_floors": "permitted floors",
    "evidence.storeys_over_estimate": "storeys over (estimate)",
    "evidence.covered_by_permits": "share under permits",
    "evidence.height_m": "height, m",
    "evidence.reach_m": "reach, m",
    "evidence.outside_beyond_tolerance_m2": "beyond tolerance, m²",
    "evidence.area_over_m2": "area over the line, m²",
    "evidence.sigma_reach_m": "σ of the reach, m",
    "evidence.wall_m": "length of the wall, m",
    "evidence.outline": "outline from",
    "evidence.detectable": "found in 95 of 100 from",
    "evidence.reserve_width_m": "width of the reserve, m",
    "evidence.area_in_reserve_m2": "area in the reserve, m²",
    "evidence.storeys_estimate": "storeys (estimate)",
    "evidence.sigma_storeys": "σ of the storeys",
    "evidence.probability_more_storeys": "probability of more storeys",
    "evidence.sigma_height_m": "σ of the height, m",
    "evidence.area_m2": "area of the outline, m²",
    "evidence.side": "side",
    "evidence.zone": "zone",
    "evidence.also": "also over",
    "evidence.due": "due",
    "evidence.surveyed": "surveyed",
    "evidence.type": "type of the permit",
    "evidence.citation": "citation",
    "evidence.limit": "limit",
    "outline.map": "the map",
    "outline.points": "points",
    "outline.map and points": "map and points",
    "side.front": "front",
    "side.rear": "rear",
    "zone.floors": "floors",
    "zone.height": "height",
    "zone.density": "density",
    "zone.FAR": "floor area ratio",
    "outcome.confirmed": "as the sheet says",
    "outcome.within_limits": "within limits",
    "outcome.register_wrong": "register wrong or missing",
    "outcome.not_accessible": "no access",
    "type.relocation": "relocation",
    "type.by_stage": "by stage",
    "type.demolition_notice": "demolition notice",
    "unit.% ground": "% ground",
    "text.Annex": "Annex",
    "text.Table": "Table",
    "text.Article": "Article",
}
