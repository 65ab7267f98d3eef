"""An extract of a parcel: who holds what, where, since when, by which paper, and what was believed on that day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from gis.land.certificates import Certificate
from gis.land.land_use import Portions
from gis.land.right_types import right_type
from gis.land.rights import RRR, BAUnit, Group, Party
from gis.land.sources import SourceDocument


@dataclass(frozen=True, slots=True)
class Ground:
    """What a parcel is and where. Areas in square metres, the point in the city's CRS."""

    uid: str
    ward: str | None
    sheet: str | None
    number: str | None
    old_sheet: str | None
    old_number: str | None
    address: str | None
    land_use: str | None
    area_legal: float | None
    area_measured: float
    x: float
    y: float
    start: date | None
    land_uses: Portions = ()
    """Where there are several, or one with a term."""


@dataclass(frozen=True, slots=True)
class Burden:
    """A restriction that lies on a parcel."""

    uid: str
    type: str
    authority: str | None
    source: str | None
    start: date | None
    area_m2: float
    """Of the parcel that it covers."""
    fraction: float
    """Of the parcel's area that it covers."""


@dataclass(frozen=True, slots=True)
class Extract:
    """All that the register says of a parcel on a day, as known at a moment."""

    ground: Ground
    crs: str
    as_of: date
    known_at: datetime | None
    """None: as known now."""
    units: tuple[BAUnit, ...]
    rights: tuple[RRR, ...]
    parties: dict[str, Party]
    groups: dict[str, Group]
    identities: dict[str, str]
    """The last three digits of identity numbers, the others hidden, by party."""
    papers: dict[str, SourceDocument]
    certificates: tuple[Certificate, ...]
    restrictions: tuple[Burden, ...]
    believed: tuple[RRR, ...]
    """The rights of that day as the register knew them when the day ended."""

    @property
    def belief_changed(self) -> bool:
        """Whether the register knows the day otherwise now than it did when the day ended."""
        return _content(self.rights) != _content(self.believed)

    def lines(self) -> Iterator[str]:
        """As text, in Vietnamese and English."""
        ground = self.ground
        yield f"TRÍCH LỤC THỬA ĐẤT / EXTRACT OF PARCEL {ground.uid}"
        known = "nay / now" if self.known_at is None else self.known_at.isoformat(timespec="seconds")
        yield f"Ngày / As of: {self.as_of}    Theo sổ lúc / as known at: {known}"
        yield ""
        yield (
            f"Tờ bản đồ / Sheet: {ground.sheet or '–'}    Thửa / Parcel: {ground.number or '–'}    "
            + (
                f"(cũ / old: {ground.old_sheet or '–'}/{ground.old_number or '–'})    "
                if ground.old_sheet or ground.old_number
                else ""
            )
            + f"Phường xã / Ward: {ground.ward or '–'}"
        )
        yield f"Địa chỉ / Address: {ground.address or '–'}"
        yield f"Vị trí / Position: {ground.x:.2f} {ground.y:.2f} ({self.crs})"
        legal = "–" if ground.area_legal is None else f"{ground.area_legal:.1f} m²"
        yield f"Diện tích pháp lý / Legal area: {legal}    đo đạc / measured: {ground.area_measured:.1f} m²"
        yield f"Mục đích sử dụng / Land use: {ground.land_use or '–'}    từ / since: {ground.start or '–'}"
        for portion in ground.land_uses:
            term = f"đến / until {portion.term_end}" if portion.term_end else "lâu dài / for long"
            yield f"  {portion.code} {portion.area:g} m², {term}" + (f", {portion.origin}" if portion.origin else "")
        yield ""
        yield from self.rights_lines()
        yield ""
        yield "GIẤY CHỨNG NHẬN / CERTIFICATES"
        for one in self.certificates:
            after = f", thay bằng / replaced by {one.replaced_by}" if one.replaced_by else ""
            book = f", số vào sổ / book no. {one.book_no}" if one.book_no else ""
            yield f"  {one.serial}{book}: {one.status} từ / since {one.start}, cấp / issued {one.issued or '–'}{after}"
        if not self.certificates:
            yield "  không có / none"
        yield ""
        yield "HẠN CHẾ / RESTRICTIONS"
        for burden in self.restrictions:
            kind = right_type(burden.type)
            yield (
                f"  {kind.vi} / {kind.en} ({burden.uid}): {burden.area_m2:.1f} m², {burden.fraction:.0%}, "
                f"từ / since {burden.start or '–'}{self._paper(burden.source)}"
            )
        if not self.restrictions:
            yield "  không có / none"
        yield ""
        yield "SỔ ĐÃ BIẾT KHI HẾT NGÀY ẤY / WHAT THE REGISTER BELIEVED WHEN THAT DAY ENDED"
        if self.belief_changed:
            yield from (f"  {line}" for right in self.believed for line in self._right(right))
            if not self.believed:
                yield "  chưa biết gì / nothing yet"
        else:
            yield "  như trên / as above"

    def rights_lines(self) -> Iterator[str]:
        """The rights alone, as text."""
        yield "QUYỀN / RIGHTS"
        for unit in self.units:
            if unit.parcels != (self.ground.uid,):
                yield f"  đơn vị / unit {unit.uid}: {', '.join(unit.parcels)}"
        yield from (f"  {line}" for right in self.rights for line in self._right(right))
        if not self.rights:
            yield "  không có / none"

    def _right(self, right: RRR) -> Iterator[str]:
        kind = right_type(right.type)
        holder = self.parties.get(right.party)
        name = f"{holder.name} ({holder.kind} {holder.uid})" if holder else right.party
        number = f", số định danh / identity {self.identities[right.party]}" if right.party in self.identities else ""
        loan = right.mortgage
        extra = f", hạng / rank {loan.rank}" if loan else f" {right.share}"
        if loan and loan.amount_vnd is not None:
            extra += ", " + f"{loan.amount_vnd:,} VND".replace(",", " ")
        until = f" đến / to {right.end}" if right.end else ""
        paper = self._paper(right.source)
        yield f"{kind.vi} / {kind.en}{extra}: {name}{number}, từ / since {right.start or '–'}{until}{paper}"
        for member in self.groups[right.party].members if right.party in self.groups else ():
            person = self.parties.get(member.party)
            share = f"{member.share}" if member.share is not None else "không chia / undivided"
            yield f"  – {person.name if person else member.party} ({member.party}): {share}"

    def _paper(self, uid: str | None) -> str:
        if uid is None:
            return ""
        paper = self.papers.get(uid)
        if paper is None:
            return f"; theo / by {uid}"
        told = " ".join(str(part) for part in (paper.kind, paper.number, paper.date) if part is not None)
        digest = f", sha256 {paper.sha256[:12]}…" if paper.sha256 else ""
        return f"; theo / by {told} ({paper.signature_status}{digest})"


def _content(rights: tuple[RRR, ...]) -> set[tuple[object, ...]]:
    return {(one.unit, one.party, one.type, one.share, one.start, one.end, one.source, one.mortgage) for one in rights}
