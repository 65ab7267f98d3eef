"""Whether parcels and permits are everybody's to see, or each ward's own."""

from __future__ import annotations

from psycopg import sql
from sqlalchemy import Connection, text

from gis.access.openness import Parcels
from gis.errors import Conflict
from gis.store.changes import CHANNEL
from gis.store.schema import SCHEMA
from gis.store.versions import driver

OF_WARDS = (
    "parcel",
    "parcel_version",
    "parcel_lineage",
    "land_change",
    "permit",
    "permit_limit",
    "generalised_block",
    "generalised_ward",
)
"""Tables whose policies are in force while the city shows parcels by ward."""
OVERLAPS = "public.geometry_overlaps(geometry, geometry)"
"""The function of PostGIS's operator `&&`."""


def shown(connection: Connection) -> Parcels:
    """How the city shows its parcels now."""
    secured = text("SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('diaba.parcel_version')")
    return Parcels.BY_WARD if connection.execute(secured).scalar_one_or_none() else Parcels.TO_ALL


def show(connection: Connection, parcels: Parcels) -> None:
    """Show parcels so from now on, as the owner.

    Raises:
        Conflict: this server would read whole tables for each map tile.
    """
    if parcels is Parcels.BY_WARD:
        _check_index(connection)
    verb = sql.SQL("ENABLE" if parcels is Parcels.BY_WARD else "DISABLE")
    for table in OF_WARDS:
        name = sql.Identifier(SCHEMA, table)
        driver(connection).execute(sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(name, verb))
    # Whoever keeps answers, or tells of changes, hears that all may be another from the commit on.
    connection.execute(text("SELECT pg_notify(:channel, 'all')"), {"channel": CHANNEL})


def check(connection: Connection) -> None:
    """Whether the city can be served as it is.

    Raises:
        Conflict: parcels are shown by ward, and this server would read whole tables for each map tile.
    """
    if shown(connection) is Parcels.BY_WARD:
        _check_index(connection)


def keeps_index(connection: Connection) -> bool:
    """Whether `&&` may look into the spatial index before the policy of a row was asked.

    PostgreSQL lets only functions do so that are known to tell nothing of rows that are not shown. `&&` compares
    bounding boxes and has no message, so it is such a one; only a superuser may say so.
    """
    leakproof = text("SELECT proleakproof FROM pg_proc WHERE oid = CAST(:name AS regprocedure)")
    return bool(connection.execute(leakproof, {"name": OVERLAPS}).scalar_one())


def _check_index(connection: Connection) -> None:
    if not keeps_index(connection):
        raise Conflict(
            "parcels by ward: the server would read the whole table for each tile; ask its superuser to run in this "
            f"database: ALTER FUNCTION {OVERLAPS} LEAKPROOF (a private cluster does so at: diaba db migrate), or show "
            "parcels to all: diaba db access --parcels to-all"
        )
