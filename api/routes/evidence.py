"""Evidence sheets of cases, and whether a sheet is genuine."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api.answers import HTML, JSON, answer, json_bytes
from api.caller import caller
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS
from api.evidence import build
from api.evidence.answer_page import answer_page
from api.evidence.build import Printed
from api.evidence.gather import sheet_of
from api.query import key
from api.rendered import name_of, rendered
from api.representation import wants_page
from gis.errors import NotFound
from gis.store import evidence_sheets
from gis.store.evidence import Facts, facts_of_case

router = APIRouter(tags=["Compliance"])

PDF = "application/pdf"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""A page that holds all it shows; its style is its own, and it has no script."""
THROUGH = "GET /compliance/cases/{id}/evidence"
CaseId = Annotated[str, Path(alias="id", description="The case: the id of a difference of the register.")]
Lang = Annotated[Literal["vi", "en"], Query(description="Language of the pages.")]
_TEXT = {"type": "string"}
GENUINE: dict[str, Any] = {
    "type": "object",
    "required": ["digest", "genuine", "case", "kind", "building", "epoch", "languages", "software", "made_at"],
    "properties": {
        "digest": _TEXT,
        "genuine": {"const": True},
        "case": {"type": ["string", "null"], "description": "Null: of a building at which nothing was flagged."},
        "kind": {"type": ["string", "null"]},
        "building": _TEXT,
        "epoch": _TEXT,
        "languages": {"type": "array", "items": _TEXT},
        "software": _TEXT,
        "made_at": {"type": "string", "format": "date-time"},
    },
}


@router.get(
    "/compliance/cases/{id}/evidence.html",
    operation_id="getEvidencePage",
    summary="Phiếu chứng cứ · Evidence sheet as a page",
    responses={200: {"description": "The sheet, whole in itself.", "content": {"text/html": {}}}, **PROBLEMS},
    response_class=Response,
)
def as_page(request: Request, service: ServiceDep, base: BaseDep, case: CaseId, lang: Lang = "vi") -> Response:
    """Map, 3D picture, section through the points, figures with σ, limits and where they are written.

    What the caller may not see is not on it. One sheet is made at a time; who waits too long is answered 503.
    """
    return _sheet(request, service, case, Printed(lang, "html", base))


@router.get(
    "/compliance/cases/{id}/evidence.pdf",
    operation_id="getEvidencePdf",
    summary="Phiếu chứng cứ · Evidence sheet as PDF",
    responses={200: {"description": "The sheet, tagged, with its content attached.", "content": {PDF: {}}}, **PROBLEMS},
    response_class=Response,
)
def as_pdf(request: Request, service: ServiceDep, base: BaseDep, case: CaseId, lang: Lang = "vi") -> Response:
    """The same as PDF: signed where the installation has a key, its canonical content attached.

    `diaba compliance verify` makes the pages anew from that content and says what differs.
    """
    return _sheet(request, service, case, Printed(lang, "pdf", base))


@router.get(
    "/evidence/{digest}",
    operation_id="verifyEvidence",
    summary="Kiểm tra phiếu chứng cứ · Whether a sheet is genuine",
    responses={
        **PROBLEMS,
        200: {"description": "It was made here.", "content": {JSON: {"schema": GENUINE}, "text/html": {}}},
        404: {**PROBLEMS[404], "content": {**PROBLEMS[404]["content"], "text/html": {}}},
    },
    response_class=Response,
)
def verify(
    request: Request,
    service: ServiceDep,
    digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content, as printed.")],
    f: Annotated[Literal["json", "html"] | None, Query(description="`json` or `html`; else by Accept.")] = None,
) -> Response:
    """Of what it is and when it was made, for whoever holds a sheet; no parcel, no permit, no person. 404: unknown."""
    with service.reading() as connection:
        found = evidence_sheets.look_up(connection, digest)
    if wants_page(request, f):
        body = answer_page(digest, found, service.city.name)
        response = answer(request, body, HTML, headers={"Content-Security-Policy": POLICY})
        if found is None:
            response.status_code = 404
        return response
    if found is None:
        raise NotFound("evidence sheet", digest)
    document = {
        "digest": digest,
        "genuine": True,
        "case": found.case_id,
        "kind": found.kind,
        "building": found.building_uid,
        "epoch": found.epoch,
        "languages": found.languages,
        "software": found.software,
        "made_at": found.made_at.isoformat(timespec="seconds"),
    }
    return answer(request, json_bytes(document), JSON)


def _sheet(request: Request, service: Service, case: str, how: Printed) -> Response:
    with service.reading() as connection:
        facts = facts_of_case(connection, service.city, key("case", case))
    signer = build.signer_of_installation()
    # Two processes that sign make other bytes of one sheet.
    signed = build.PROCESS if signer is not None and how.form == "pdf" else ""
    name = name_of("evidence", how, build.software(), signed, facts.stamp)
    ending = {"pdf": PDF, "html": HTML}
    plain = "".join(letter for letter in case[:12] if letter.isascii() and letter.isalnum())
    headers = {"Content-Disposition": f'inline; filename="evidence-{plain}-{how.language}.pdf"'}
    return rendered(
        request,
        service.rendered,
        name,
        lambda: _drawn(service, facts, how),
        ending[how.form],
        max_age=0,
        compress=how.form == "html",
        headers={"Content-Security-Policy": POLICY} if how.form == "html" else headers,
    )


def _drawn(service: Service, facts: Facts, how: Printed) -> bytes:
    with build.one_at_a_time():
        sheet = sheet_of(facts, service.city, build.software())
    with service.reading() as connection:
        made_at = evidence_sheets.made_first(connection, sheet.digest)
    if made_at is None:
        parcel = facts.finding["parcel_uid"] if facts.finding is not None else None
        row = build.row_of(sheet, parcel, caller().subject or "public")
        with service.writing(f"{THROUGH}.{how.form}") as connection:
            made_at = evidence_sheets.save(connection, row)
    with build.one_at_a_time():
        return build.printed(sheet, how, made_at, build.signer_of_installation())
