"""The public look-up of a dossier: for whoever holds its receipt number and secret."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.dependencies import ServiceDep
from api.dossiers import public_document
from api.errors import PROBLEMS
from api.limits import count_lookup
from api.register_schemas import DOSSIER_STATUS
from gis.calendar import today
from gis.store import dossiers

router = APIRouter(prefix="/permits", tags=["Permits"])


@router.get(
    "/status",
    operation_id="getDossierStatus",
    summary="Tra cứu hồ sơ · Where a dossier stands",
    responses={
        200: {"description": "Status, due date and next step.", "content": {JSON: {"schema": DOSSIER_STATUS}}},
        **PROBLEMS,
    },
    response_class=Response,
    dependencies=[Depends(count_lookup)],
)
def status(
    request: Request,
    service: ServiceDep,
    receipt: Annotated[str, Query(description="Số biên nhận · The receipt number, 760-2026-000001.")],
    secret: Annotated[str, Query(description="Mã tra cứu · The secret on the receipt, XXXX-XXXX-XXXX-XXXX.")],
) -> Response:
    """Tình trạng, ngày hẹn trả và bước tiếp theo · Status, due date and next step, and nothing about any person.

    A wrong secret and an unknown number are answered alike. While the applicant supplements, the clock stands, and the
    due date is the one it would have if the supplement came in today.
    """
    with service.reading() as connection:
        found = dossiers.public(connection, receipt.strip().upper(), secret)
    document = public_document(found, today())
    return answer(request, json_bytes(document), JSON, compress=False, headers={"Cache-Control": "no-store"})
