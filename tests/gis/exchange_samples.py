"""Parcels for the tests of exchange: two rows of lots, a hole, a bent outline, old numbers, Vietnamese addresses."""

from __future__ import annotations

from datetime import date

from shapely import Polygon, box

from gis.land.exchange.record import ParcelRecord

EAST, NORTH = 603_000.0, 1_191_000.0
USES = "ODT 59.5; CLN 40.5 until 2065-12-31 (Nhà nước công nhận (cũ), 'đất vườn' & ao)"
STREETS = ("Nguyễn Trãi", "Lê Lợi", "Đường số 7", "Trần Hưng Đạo")


def lot(number: int) -> Polygon:
    """The number-th of two rows of lots of 5 m × 20 m back to back, ten to a row."""
    row, place = divmod(number, 10)
    west, south = EAST + 5.0 * place, NORTH + 20.0 * row
    return box(west, south, west + 5.0, south + 20.0)


def sample_records() -> list[ParcelRecord]:
    """Twenty lots, and two aside: one around a yard not its own, one with corners to a tenth of a millimetre."""
    shapes = [lot(n) for n in range(20)]
    yard = [(EAST + 110, NORTH + 5), (EAST + 115, NORTH + 5), (EAST + 115, NORTH + 10), (EAST + 110, NORTH + 10)]
    shapes.append(Polygon(box(EAST + 100, NORTH, EAST + 130, NORTH + 20).exterior.coords, [yard]))
    corners = [(140.1234, 0.0567), (151.9876, 1.3), (150.5, 19.99951), (145.25, 24.125), (139.00049, 20.2)]
    shapes.append(Polygon([(EAST + x, NORTH + y) for x, y in corners]))
    return [
        ParcelRecord(
            f"sample {n}",
            shape,
            uid=f"p-{n:04d}",
            ward_code="26734",
            sheet_no="12",
            parcel_no=str(n + 1),
            old_sheet_no="3" if n % 4 == 0 else None,
            old_parcel_no=f"{500 + n}a" if n % 4 == 0 else None,
            land_use="ODT" if n % 3 else None,
            land_uses=USES if n == 10 else None,
            address=f'{n + 1}/{n % 3} {STREETS[n % 4]}, "P. Bến Thành" & <Q.1>; tổ 5' if n != 7 else None,
            area_legal=round(shape.area, 1) if n != 8 else None,
            valid_from=date(2009 + n % 5, 3, 1),
            valid_to=date(2040, 1, 1) if n == 9 else None,
        )
        for n, shape in enumerate(shapes)
    ]
