"""Dossiers to begin with, for the tests of the store."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection

from gis.construction.dossier import Action, Dossier, DossierType
from gis.construction.procedure import Procedure
from gis.store import dossiers, parcels, parties
from gis.store.dossiers import Filing, Receipt
from gis.store.geometry import encode
from gis.store.permit_decisions import Limits
from gis.store.versions import since
from tests.gis.store_samples import lot

FILED = date(2025, 3, 3)
CLERK = "Trần Văn Thử (hư cấu)"
APPLICANT = "Nguyễn Thị Thử (hư cấu)"


def parcel(connection: Connection, uid: str = "p-1", number: int = 1) -> str:
    """A lot of the register."""
    row = {
        **dict.fromkeys(("ward_code", "sheet_no", "parcel_no", "land_use", "address", "area_legal")),
        "uid": uid,
        "area_measured": 100.0,
        "geom": encode([lot(number)], 9210)[0],
        "valid": since(date(2009, 3, 1)),
    }
    parcels.save(connection, [row])
    return uid


def applicant(connection: Connection) -> str:
    """A party of the register."""
    parties.save(connection, [{"uid": "o-1", "kind": "person", "name": APPLICANT, "id_no": "079000000001"}])
    return "o-1"


def file(
    connection: Connection,
    procedure: Procedure = Procedure.SINGLE_HOUSE,
    *,
    kind: DossierType = DossierType.NEW,
    on: date = FILED,
    **more: Any,
) -> Receipt:
    """File a dossier at the office 760."""
    filing = Filing(**{"office": "760", "procedure": procedure, "type": kind, "filed_on": on, **more})
    return dossiers.file(connection, filing, actor=CLERK)


def record(connection: Connection, receipt: Receipt, *actions: Action, on: date = FILED) -> Dossier:
    """Continue it by these, all on one day."""
    for action in actions:
        found = dossiers.record(connection, receipt.receipt_no, action, on=on, actor=CLERK)
    return found


def limits(number: int = 1, floors: int = 3) -> Limits:
    """A house of three floors on the whole lot."""
    return Limits(lot(number), 100.0, 300.0, floors, 0, 11.6, 0.0, 2.0, 0.3)
