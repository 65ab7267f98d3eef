"""Invented dossiers of permits for an invented city, whose receipts may stand in examples."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from gis.construction.dossier import Action, DossierType
from gis.construction.procedure import Procedure
from gis.store import dossiers
from gis.store.dossiers import Filing, Receipt

OFFICE = "DEMO"
CLERK = "Văn phòng thử nghiệm (hư cấu)"
_YEAR = 2026

_Happened = tuple[Action, tuple[int, int]]
_DOSSIERS: tuple[tuple[Procedure, DossierType, tuple[int, int], tuple[_Happened, ...]], ...] = (
    (
        Procedure.SINGLE_HOUSE,
        DossierType.NEW,
        (2, 9),
        ((Action.EXAMINED, (2, 11)), (Action.GRANTED, (2, 23)), (Action.ISSUED, (2, 25))),
    ),
    (
        Procedure.SINGLE_HOUSE,
        DossierType.NEW,
        (6, 29),
        ((Action.EXAMINED, (7, 2)), (Action.GRANTED, (7, 13))),
    ),
    (
        Procedure.SINGLE_HOUSE,
        DossierType.RENOVATION,
        (8, 26),
        (
            (Action.EXAMINED, (8, 27)),
            (Action.SUPPLEMENT_REQUESTED, (8, 28)),
            (Action.SUPPLEMENTED, (9, 4)),
            (Action.GRANTED, (9, 10)),
            (Action.ISSUED, (9, 14)),
        ),
    ),
    (
        Procedure.WORKS,
        DossierType.NEW,
        (9, 14),
        ((Action.EXAMINED, (9, 16)), (Action.REFUSED, (9, 25))),
    ),
    (
        Procedure.WORKS,
        DossierType.NEW,
        (10, 5),
        ((Action.EXAMINED, (10, 8)), (Action.SUPPLEMENT_REQUESTED, (10, 9))),
    ),
    (Procedure.SINGLE_HOUSE, DossierType.NEW, (10, 12), ((Action.WITHDRAWN, (10, 14)),)),
    (Procedure.SINGLE_HOUSE, DossierType.NEW, (11, 16), ((Action.EXAMINED, (11, 18)),)),
    (Procedure.SINGLE_HOUSE, DossierType.NEW, (11, 23), ()),
)
"""Procedure, what is to be built, day filed (month, day), and what happened then: issued, granted, supplemented,
refused, waiting for a supplement, withdrawn, examined, and only filed; under the law before and after July 2026."""


def file_dossiers(connection: Connection, parcels: list[str]) -> list[Receipt]:
    """File the dossiers on some parcels of an invented city, for the writer; the same receipts each time."""
    receipts = []
    for number, (procedure, kind, filed, events) in enumerate(_DOSSIERS, start=1):
        parcel = parcels[(number - 1) % len(parcels)] if parcels else None
        filing = Filing(OFFICE, procedure, kind, date(_YEAR, *filed), parcel_uid=parcel)
        receipt = dossiers.file(connection, filing, actor=CLERK, secret=secret_of(number))
        for action, day in events:
            dossiers.record(connection, receipt.receipt_no, action, on=date(_YEAR, *day), actor=CLERK)
        receipts.append(receipt)
    return receipts


def secret_of(number: int) -> str:
    """The secret on the receipt of the demo's number-th dossier."""
    return f"DEM{number:013d}"
