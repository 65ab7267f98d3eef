"""From a flagged difference to a decision: the list of cases, one case, who is to look, what was seen, statistics."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import Response

from api import cases as documents
from api.answers import HTML, JSON, answer, json_bytes
from api.case_schemas import ASSIGNMENT, CASE, INSPECTION, PAGE, STATISTICS
from api.crs_names import named
from api.dependencies import BaseDep, Service, ServiceDep
from api.errors import PROBLEMS, problems
from api.geojson import features
from api.links import Link, address, header, link
from api.query import after, area, key, moment, plain, sort_keys, token
from api.recording import recording
from api.writing import authorise_write, body_of, document_of, expected_version
from gis.calendar import today
from gis.construction.case_statistics import TARGET
from gis.construction.inspections import Assignment, CaseStatus, Inspection
from gis.errors import BadParameter
from gis.store import case_changes, cases
from gis.store.cases import CASES, SUREST_FIRST, CaseFilter
from gis.store.collections import COLLECTIONS, NOW, Moment
from gis.store.items import Form, ItemQuery, find_item, kinds_of
from gis.store.property_types import queryables

router = APIRouter(prefix="/compliance", tags=["Compliance"])

CSV = "text/csv; charset=utf-8"
COLLECTION = "discrepancies"
"""What a grant must let one change."""
NAMES_MOST = 20
"""Kinds or statuses asked for at once."""

Body = Annotated[bytes, Depends(body_of)]
CaseId = Annotated[str, Path(alias="caseId", description="Mã hồ sơ · The case's id.")]
CrsParameter = Annotated[str | None, Query(description="CRS of `bbox` and of the answer; CRS84 without it.")]
KnownAt = Annotated[str | None, Query(description="As the register knew it at this date-time; now without it.")]
ContentType = Annotated[str | None, Header(alias="Content-Type", include_in_schema=False)]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="The ETag of the case that was seen; `*` takes any.")
]
CHANGE_PROBLEMS = PROBLEMS | problems(
    HTTPStatus.FORBIDDEN,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.PRECONDITION_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which cases a request wants."""

    only: CaseFilter
    moment: Moment


def asked(
    kind: Annotated[
        str | None, Query(description="Loại · Kinds, parted by commas.", examples=["storeys", "storeys,setback"])
    ] = None,
    status: Annotated[
        str | None,
        Query(description=f"Tình trạng · Statuses, parted by commas: {', '.join(CaseStatus)}.", examples=["flagged"]),
    ] = None,
    ward: Annotated[str | None, Query(description="Phường, xã · Code of the parcel's ward.")] = None,
    epoch: Annotated[str | None, Query(description="Đợt bay · Of one survey.")] = None,
    min_confidence: Annotated[float | None, Query(ge=0, le=1, description="With at least this confidence.")] = None,
    building: Annotated[str | None, Query(description="At one building.")] = None,
    parcel: Annotated[str | None, Query(description="On one parcel.")] = None,
    assigned_to: Annotated[str | None, Query(description="Giao cho · Last assigned to.")] = None,
    known_at: KnownAt = None,
) -> _Asked:
    """The filters of a list."""
    texts = {"ward": ward, "epoch": epoch, "building": building, "parcel": parcel, "assigned_to": assigned_to}
    told = {name: None if text is None else plain(name, text) for name, text in texts.items()}
    statuses = _names("status", status)
    strange = next((one for one in statuses if one not in tuple(CaseStatus)), None)
    if strange is not None:
        raise BadParameter("status", ascii(strange[:40])[1:-1], f"there are {', '.join(CaseStatus)}")
    only = CaseFilter(_names("kind", kind), statuses, min_confidence=min_confidence, **told)
    return _Asked(only, moment(None, known_at))


@router.get(
    "/cases",
    operation_id="getCases",
    summary="Hồ sơ cần kiểm tra · Cases to inspect",
    responses={
        200: {"description": "A page of cases.", "content": {JSON: {"schema": PAGE}, CSV: {}}},
        **PROBLEMS,
    },
    response_class=Response,
)
def list_cases(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    which: Annotated[_Asked, Depends(asked)],
    bbox: Annotated[str | None, Query(description="At buildings that touch this box.")] = None,
    crs: CrsParameter = None,
    sort: Annotated[
        str | None,
        Query(description="Properties, with - before those that descend; the surest first without it."),
    ] = None,
    limit: Annotated[int | None, Query(ge=1, le=1000, description="Cases of one page.")] = None,
    token_after: Annotated[
        str | None, Query(alias="after", description="Where a page goes on; the link `next` has it.")
    ] = None,
    f: Annotated[str, Query(pattern="^(json|csv)$", description="json or csv.")] = "json",
) -> Response:
    """Differences between the measured and the registered city, as cases of work, those of one's wards.

    A difference is a reason to look, not a finding against anybody. `numberMatched` is exact, the order is stable, and
    `next` continues after the last case seen. CSV has one page too; the header `Link` continues it.
    """
    target = named("crs", crs, service.crs_offered)
    order = SUREST_FIRST if sort is None else sort_keys(sort, queryables(CASES.properties), parameter="sort")
    query = ItemQuery(
        limit=min(limit or service.limits.page_size, service.limits.page_size_most),
        area=None if bbox is None else area(bbox, target, service.city.crs),
        moment=which.moment,
        where=which.only.condition,
        sort=order,
        after=None if token_after is None else after(token_after, kinds_of(order), parameter="after"),
    )
    form = Form(target.srid, target.decimals, target.is_north_first)
    with service.reading() as connection:
        found = cases.find(connection, query, form)
    listed, links = documents.listed(found), _page_links(request, base, found.page.last, f)
    headers = {"Content-Crs": f"<{target.uri}>", **header(links)}
    if f == "csv":
        return answer(request, documents.table(listed, target), CSV, headers=headers)
    document = {
        "cases": listed,
        "numberMatched": found.matched,
        "numberReturned": len(listed),
        "links": links,
    }
    return answer(request, json_bytes(document), JSON, headers=headers)


@router.get(
    "/cases/{caseId}",
    operation_id="getCase",
    summary="Một hồ sơ · One case",
    responses={200: {"description": "The case.", "content": {JSON: {"schema": CASE}}}, **PROBLEMS},
    response_class=Response,
)
def get_case(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    case_id: CaseId,
    crs: CrsParameter = None,
    known_at: KnownAt = None,
) -> Response:
    """A case with its figures, inspections and assignments, and the building, parcel and permit it is about.

    It can be had after a later run did not find it again (`closed_at`), and as it was known at another time. `next`
    says what may happen to it; the ETag names the version a change is decided upon.
    """
    return _answer(request, service, base, case_id, crs, moment(None, known_at))


@router.post(
    "/cases/{caseId}/inspections",
    operation_id="addInspection",
    summary="Ghi kết quả kiểm tra · Record an inspection",
    status_code=HTTPStatus.CREATED,
    responses={201: {"description": "The case as it is now.", "content": {JSON: {"schema": CASE}}}, **CHANGE_PROBLEMS},
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": INSPECTION}}}},
)
def add_inspection(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    case_id: CaseId,
    body: Body,
    if_match: IfMatch = None,
    content_type: ContentType = None,
) -> Response:
    """What somebody saw on the ground. It is added and never changed; a later one may say otherwise.

    `confirmed`: it is as measured. `within_limits`: it is not, or, after it was confirmed, it was put right or
    legalised. `register_wrong`: the permit's or the parcel's data were wrong. `not_accessible`: nobody got in. For the
    ward's inspectors.
    """
    seen = documents.inspection_of(document_of(body, content_type, JSON), today()).check(today())
    return _changed(request, service, base, case_id, seen, if_match)


@router.post(
    "/cases/{caseId}/assignment",
    operation_id="assignCase",
    summary="Giao hồ sơ · Assign a case",
    status_code=HTTPStatus.CREATED,
    responses={201: {"description": "The case as it is now.", "content": {JSON: {"schema": CASE}}}, **CHANGE_PROBLEMS},
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": ASSIGNMENT}}}},
)
def assign(
    request: Request,
    service: ServiceDep,
    base: BaseDep,
    case_id: CaseId,
    body: Body,
    if_match: IfMatch = None,
    content_type: ContentType = None,
) -> Response:
    """Say who is to look and until when. Earlier assignments are kept; the last one counts."""
    given = documents.assignment_of(document_of(body, content_type, JSON)).check(today())
    return _changed(request, service, base, case_id, given, if_match)


@router.get(
    "/statistics",
    operation_id="getCaseStatistics",
    summary="Thống kê kết quả kiểm tra · What inspections say of what is flagged",
    responses={200: {"description": "By kind.", "content": {JSON: {"schema": STATISTICS}}}, **PROBLEMS},
    response_class=Response,
)
def get_statistics(
    request: Request,
    service: ServiceDep,
    epoch: Annotated[str | None, Query(description="Of one survey; of all without it.")] = None,
    target: Annotated[
        float, Query(gt=0, lt=1, description="Share of real ones a recommended false-alarm rate must reach.")
    ] = TARGET,
) -> Response:
    """Of each kind how many were flagged, inspected and confirmed, with the 95 % interval of the confirmed share.

    Also the share by confidence, what each stricter false-alarm rate would flag, the loosest one that reaches `target`,
    and how many inspections are still needed to know the share to ±5 points. `bias` says what these figures leave open.
    """
    survey = None if epoch is None else plain("epoch", epoch)
    with service.reading() as connection:
        kinds, rate = cases.kind_statistics(connection, survey, target=target)
    document = documents.statistics_document(kinds, epoch=survey, false_alarm_rate=rate, target=target)
    return answer(request, json_bytes(document), JSON)


def _names(parameter: str, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in plain(parameter, text).split(",") if name.strip()))
    if not 0 < len(names) <= NAMES_MOST:
        raise BadParameter(parameter, ascii(text[:40])[1:-1], f"give 1 to {NAMES_MOST} names, parted by commas")
    return names


def _page_links(request: Request, base: str, last: tuple[Any, ...] | None, f: str) -> list[Link]:
    here, parameters = f"{base}/compliance/cases", dict(request.query_params)
    media_type = CSV if f == "csv" else JSON
    links = [link("self", address(here, parameters), media_type)]
    if last is not None:
        links.append(link("next", address(here, parameters, after=token(last)), media_type))
    return links


def _answer(
    request: Request,
    service: Service,
    base: str,
    case_id: str,
    crs: str | None = None,
    when: Moment = NOW,
    headers: dict[str, str] | None = None,
) -> Response:
    target = named("crs", crs, service.crs_offered)
    with service.reading() as connection:
        found = cases.case(connection, key("case", case_id), when)
        about = {
            name: None if of is None else find_item(connection, COLLECTIONS[collection], of, when)
            for name, collection, of in (
                ("building", "buildings", found.item.properties["building_uid"]),
                ("parcel", "parcels", found.item.properties["parcel_uid"]),
                ("permit", "permits", found.item.properties["permit_no"]),
            )
        }
    document = {
        **documents.document(found),
        "geometry": features([found.item], service.city.crs, target)[0]["geometry"],
        **{name: None if item is None else item.properties for name, item in about.items()},
        "links": _links(base, found.item.properties),
    }
    more = {"Content-Crs": f"<{target.uri}>", **(headers or {})}
    return answer(request, json_bytes(document), JSON, headers=more, revision=found.version)


def _links(base: str, properties: dict[str, Any]) -> list[Link]:
    here = f"{base}/compliance/cases/{quote(properties['id'], safe='')}"
    building = properties["building_uid"]
    about = [] if building is None else [link("about", f"{base}/buildings/{quote(building, safe='')}", JSON)]
    return [
        link("self", here, JSON),
        link("evidence", f"{here}/evidence.html", HTML, "Phiếu căn cứ · Evidence"),
        link("evidence", f"{here}/evidence.pdf", "application/pdf", "Phiếu căn cứ · Evidence"),
        *about,
    ]


def _changed(
    request: Request, service: Service, base: str, case_id: str, what: Inspection | Assignment, if_match: str | None
) -> Response:
    wanted, version = key("case", case_id), expected_version(if_match)
    with service.reading() as connection:
        # Who may not see the case is told what is told of one that never was.
        cases.case(connection, wanted)

    def allow(ward: str | None) -> None:
        authorise_write(COLLECTION, ward)

    with recording(request, service) as connection:
        if isinstance(what, Inspection):
            case_changes.inspect(connection, wanted, what, if_version=version, allow=allow)
        else:
            case_changes.assign(connection, wanted, what, if_version=version, allow=allow)
    here = f"{base}/compliance/cases/{quote(wanted, safe='')}"
    made = _answer(request, service, base, wanted, headers={"Location": here})
    made.status_code = HTTPStatus.CREATED
    return made
