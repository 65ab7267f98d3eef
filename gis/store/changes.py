"""What changes in the registers, told by the database at each commit: which collection, and where; nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Row, text

from gis.access.roles import Role
from gis.errors import StoreUnreachable
from gis.store.database import Database
from gis.store.server import CONNECT_SECONDS, dsn, first_line

CHANNEL = "diaba_change"
KEEP_ALIVE: dict[str, Any] = {
    "application_name": "diaba changes",
    "connect_timeout": CONNECT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""Of a connection that only waits: a server that went away without a word is noticed after 35 s."""
BOX = 4
"""Numbers of a box."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Change:
    """What one statement of a transaction has changed."""

    number: int
    collection: str
    """A collection of features, or a layer of the tiles that stands for one: blocks, wards, built_up."""
    boxes: tuple[Box, ...]
    """West, south, east, north in Web Mercator, metres: where it was and where it is."""


DIFFERENCES = "discrepancies"
LAND = ("parcels", "permits", "blocks", "wards")
NOT_FOR_ALL = (DIFFERENCES, *LAND)
"""Collections of which not everybody may see all rows."""


REACHES = (
    "diaba.reach('differences'), "
    "CASE WHEN row_security_active('diaba.parcel_version') THEN diaba.reach('land') ELSE 'all' END"
)
"""Columns that tell what of `NOT_FOR_ALL` who runs the statement may know; see `reaches_of`."""


class Reach(StrEnum):
    """Of what may not be everybody's to know, how much a caller is told."""

    ALL = "all"
    SOME = "some"
    """Of some wards alone; a change has no ward, so only that something may have changed."""
    NONE = "none"


def reaches(connection: Connection) -> Mapping[str, Reach]:
    """Collection → how much of its changes the caller of a reader's transaction may know; all of what is not in it.

    Where a difference was flagged nobody may learn from the place of a change.
    """
    return reaches_of(*connection.execute(text(f"SELECT {REACHES}")).one())


def reaches_of(differences: str, land: str) -> Mapping[str, Reach]:
    """What the columns `REACHES` of a statement of the caller's say."""
    return {DIFFERENCES: Reach(differences)} | dict.fromkeys(LAND, Reach(land))


async def listen(database: Database) -> AsyncIterator[Change | None]:
    """Each change as soon as it is committed; None when any may have been missed, first of all at the start.

    Raises:
        StoreUnreachable: the server does not answer, or has gone.
    """
    try:
        session = await psycopg.AsyncConnection.connect(
            make_conninfo(dsn(database.url(Role.READER)), **KEEP_ALIVE), autocommit=True
        )
        async with session:
            await session.execute(f"LISTEN {CHANNEL}")
            yield None
            async for notice in session.notifies():
                yield read(notice.payload)
    except psycopg.Error as error:
        raise StoreUnreachable(database.where, first_line(error)) from error


def read(payload: str) -> Change | None:
    """The change a notification tells; None where it cannot be read: any login of the database may send one."""
    try:
        number, collection, edges = payload.split(" ")
        return Change(int(number), collection, _boxes([float(edge) for edge in edges.split(",")]))
    except ValueError:
        return None


def hidden(known: Mapping[str, Reach]) -> list[str]:
    """Collections of whose changes a caller is told nothing at all, not even that there is one of some number."""
    return sorted(name for name, reach in known.items() if reach is Reach.NONE)


def since(connection: Connection, number: int, most: int, without: Sequence[str] = ()) -> list[Change] | None:
    """What was committed after a change was told, in the order of the numbers; None where that is not known any more.

    Numbers are given before the commit, so a smaller one may be told later. All transactions are taken that may have
    ended after the one asked about was told: some of their changes may have been told before it.

    Args:
        connection: A reader's transaction.
        number: Of the last change that was heard.
        most: More than these are not listed, as if they were not known.
        without: Collections whose changes are taken for such as never were.
    """
    rows = connection.execute(
        text(
            "SELECT c.number, c.collection, c.boxes FROM diaba.change heard JOIN diaba.change c "
            "ON c.transaction >= heard.horizon AND c.number <> heard.number "
            "AND c.collection <> ALL (:without) "
            "WHERE heard.number = :number AND heard.collection <> ALL (:without) ORDER BY c.number LIMIT :most + 1"
        ),
        {"number": number, "most": most, "without": list(without)},
    ).all()
    if len(rows) > most or (not rows and not _is_kept(connection, number, without)):
        return None
    return [_change(row) for row in rows]


def made_by(connection: Connection) -> list[Change]:
    """What this transaction of the writer's has changed so far, as it will be told when it is committed.

    Blocks, wards and built-up areas are drawn anew for it here instead of at the commit.
    """
    connection.execute(text("SET CONSTRAINTS diaba.change_is_generalised IMMEDIATE"))
    rows = connection.execute(
        text(
            "SELECT number, collection, boxes FROM diaba.change "
            "WHERE transaction = CAST(CAST(pg_current_xact_id() AS text) AS bigint) ORDER BY number"
        )
    )
    return [_change(row) for row in rows]


def newest(connection: Connection, most: int, without: Sequence[str] = ()) -> list[Change]:
    """The newest changes but those of some collections, in the order of their numbers."""
    rows = connection.execute(
        text(
            "SELECT number, collection, boxes FROM diaba.change WHERE collection <> ALL (:without) "
            "ORDER BY number DESC LIMIT :most"
        ),
        {"most": most, "without": list(without)},
    ).all()
    return [_change(row) for row in reversed(rows)]


def _is_kept(connection: Connection, number: int, without: Sequence[str]) -> bool:
    found = connection.execute(
        text("SELECT 1 FROM diaba.change WHERE number = :number AND collection <> ALL (:without)"),
        {"number": number, "without": list(without)},
    ).first()
    return found is not None


def _change(row: Row[Any]) -> Change:
    number, collection, edges = tuple(row)
    return Change(number, collection, _boxes(edges))


def _boxes(edges: list[float]) -> tuple[Box, ...]:
    if not edges or len(edges) % BOX:
        raise ValueError(edges)
    parts = (edges[i : i + BOX] for i in range(0, len(edges), BOX))
    return tuple((west, south, east, north) for west, south, east, north in parts)
