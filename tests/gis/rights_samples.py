"""A few parcels and invented parties for the tests of rights, and a brute-force reckoning of who holds what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from fractions import Fraction

from sqlalchemy import Connection, text

from gis.land.rights import RRR
from gis.land.transfers import Part, Transfer, TransferKind
from gis.store import parcels, parties, rights
from gis.store.geometry import encode
from gis.store.schema import parcel_version
from gis.store.versions import since
from tests.gis.store_samples import lot

DAY = date(2010, 1, 1)
LAND = "land_use_right"
OWN_COLUMNS = {"version", "recorded", "digest"}


def settle(connection: Connection, held: Mapping[str, Mapping[str, str]], others: Iterable[str] = ()) -> None:
    """Record parcels with who holds which share of each from DAY on, and other parties that hold nothing."""
    shape = {column.name: None for column in parcel_version.columns if column.name not in OWN_COLUMNS}
    rows = [
        {
            **shape,
            "uid": uid,
            "geom": encode([lot(n)], 9210)[0],
            "area_measured": 100.0,
            "valid": since(date(2000, 1, 1)),
        }
        for n, uid in enumerate(held)
    ]
    parcels.save(connection, rows)
    names = {party for shares in held.values() for party in shares} | set(others)
    parties.save(
        connection,
        [
            {
                "uid": name,
                "kind": "group" if name.startswith("G") else "person",
                "name": f"Bà {name}",
                "id_no": _id(name),
            }
            for name in sorted(names)
        ],
    )
    rights.save(
        connection,
        [
            {
                "parcel_uid": uid,
                "party_uid": party,
                "type": LAND,
                "share_num": Fraction(share).numerator,
                "share_den": Fraction(share).denominator,
                "valid": since(DAY),
            }
            for uid, shares in held.items()
            for party, share in shares.items()
        ],
    )


def _id(name: str) -> str:
    return "079" + "".join(f"{ord(letter):03d}" for letter in name)[:9].rjust(9, "0")


def transfer(
    givers: Mapping[str, str | None],
    takers: Mapping[str, str],
    day: int | date = 0,
    *,
    kind: str = "sale",
    unit: str = "p",
    discharged: tuple[str, ...] = (),
) -> Transfer:
    """A transfer of land, on a day counted from DAY."""
    return Transfer(
        TransferKind(kind),
        unit,
        LAND,
        day if isinstance(day, date) else DAY + timedelta(days=day),
        tuple(Part(party, None if share is None else Fraction(share)) for party, share in givers.items()),
        tuple(Part(party, Fraction(share)) for party, share in takers.items()),
        discharged=discharged,
    )


def holders(held: Iterable[RRR], day: int) -> dict[str, Fraction]:
    """Who holds which share of the land on a day, by looking at every row."""
    when = DAY + timedelta(days=day)
    found: dict[str, Fraction] = {}
    for right in held:
        if right.type == LAND and (right.start or when) <= when and (right.end is None or when < right.end):
            assert right.party not in found
            found[right.party] = right.share
    return found


def check_every_point(connection: Connection) -> None:
    """The sum of shares is one at every pair of event points of valid and recorded time, whatever they are."""
    rows = connection.execute(
        text(
            "SELECT share_num, share_den, lower(valid), upper(valid), lower(recorded), upper(recorded) "
            "FROM rrr WHERE ba_unit_uid = 'p' AND NOT isempty(recorded)"
        )
    ).all()
    days = {day for row in rows for day in row[2:4] if day is not None}
    moments = {moment for row in rows for moment in row[4:6] if moment is not None}
    assert days
    for day in days:
        for moment in moments:
            at = [
                Fraction(row[0], row[1])
                for row in rows
                if row[2] <= day and (row[3] is None or day < row[3])
                if row[4] <= moment and (row[5] is None or moment < row[5])
            ]
            assert sum(at) == 1
