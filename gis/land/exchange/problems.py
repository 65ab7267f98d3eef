"""What may be wrong with a parcel that comes in: its kinds, how grave each is, and its words in two languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry


class Severity(StrEnum):
    """What follows from a problem."""

    ERROR = "error"
    """Nothing of the import is written."""
    WARNING = "warning"
    """A person should look; it does not stop the import."""


class Kind(StrEnum):
    """The kinds of problems."""

    NO_GEOMETRY = "no_geometry"
    INVALID_RING = "invalid_ring"
    SEVERAL_PARTS = "several_parts"
    OPEN_BOUNDARY = "open_boundary"
    NO_NUMBER = "no_number"
    SEVERAL_LABELS = "several_labels"
    LABEL_OUTSIDE = "label_outside"
    BAD_VALUE = "bad_value"
    BROKEN_RECORD = "broken_record"
    DUPLICATE_UID = "duplicate_uid"
    DUPLICATE_NUMBER = "duplicate_number"
    NUMBER_TAKEN = "number_taken"
    NOT_IN_REGISTER = "not_in_register"
    LATER_CHANGE = "later_change"
    OVERLAP = "overlap"
    OVERLAP_REGISTER = "overlap_register"
    GAP = "gap"
    AREA_DIFFERS = "area_differs"
    LAND_USES = "land_uses"
    WRONG_CRS = "wrong_crs"
    WRONG_DATUM = "wrong_datum"
    SWAPPED_AXES = "swapped_axes"
    DEGREES = "degrees"
    METRES = "metres"
    OUTSIDE = "outside"


_E, _W = Severity.ERROR, Severity.WARNING
_WORDS: Mapping[Kind, tuple[Severity, str, str]] = MappingProxyType(
    {
        Kind.NO_GEOMETRY: (_E, "it has no geometry", "không có hình thể"),
        Kind.INVALID_RING: (_E, "its ring is invalid: {why}", "đường ranh không hợp lệ: {why}"),
        Kind.SEVERAL_PARTS: (
            _E,
            "a polygon of one part is needed, not a {kind} of {parts}",
            "cần một vùng liền, không phải {kind} gồm {parts} phần",
        ),
        Kind.OPEN_BOUNDARY: (
            _E,
            "its boundary is open: its ends are {distance_m:.3f} m apart",
            "đường ranh không khép kín: hai đầu cách nhau {distance_m:.3f} m",
        ),
        Kind.NO_NUMBER: (
            _E,
            "it has neither a uid nor a sheet and parcel number",
            "không có mã thửa và không có số tờ, số thửa",
        ),
        Kind.SEVERAL_LABELS: (
            _E,
            "several labels lie in one parcel: {labels}",
            "nhiều nhãn nằm trong một thửa: {labels}",
        ),
        Kind.LABEL_OUTSIDE: (_W, "the label {label} lies in no parcel", "nhãn {label} không nằm trong thửa nào"),
        Kind.BAD_VALUE: (
            _E,
            "{column} has the value '{value}', which does not fit",
            "{column} có giá trị '{value}' không phù hợp",
        ),
        Kind.BROKEN_RECORD: (_E, "it cannot be read: {why}", "không đọc được: {why}"),
        Kind.DUPLICATE_UID: (_E, "the uid {uid} is also that of {other}", "mã thửa {uid} trùng với {other}"),
        Kind.DUPLICATE_NUMBER: (
            _E,
            "the number {number} is also that of {other}",
            "số tờ/số thửa {number} trùng với {other}",
        ),
        Kind.NUMBER_TAKEN: (
            _E,
            "the register has the number {number} for another parcel, {uid}",
            "sổ địa chính đã có số {number} cho thửa khác, {uid}",
        ),
        Kind.NOT_IN_REGISTER: (
            _E,
            "the register has no parcel {number} these attributes could belong to",
            "sổ địa chính không có thửa {number} để gán thuộc tính",
        ),
        Kind.LATER_CHANGE: (
            _E,
            "the register has a change of {uid} since {day}, which this would undo: give valid_to or a later "
            "valid_from",
            "sổ địa chính có biến động của {uid} từ ngày {day}, sẽ bị hủy; cần ghi valid_to hoặc valid_from muộn hơn",
        ),
        Kind.OVERLAP: (_E, "it overlaps {other} by {area_m2:.3f} m²", "chồng lấn {other}: {area_m2:.3f} m²"),
        Kind.OVERLAP_REGISTER: (
            _E,
            "it overlaps the register's parcel {uid} by {area_m2:.3f} m²",
            "chồng lấn thửa {uid} trong sổ địa chính: {area_m2:.3f} m²",
        ),
        Kind.GAP: (
            _W,
            "a gap of {area_m2:.3f} m², {width_m:.3f} m wide, lies between it and {other}",
            "khe hở {area_m2:.3f} m², rộng {width_m:.3f} m, với {other}",
        ),
        Kind.AREA_DIFFERS: (
            _W,
            "its area {area_m2:.2f} m² differs from the legal area {legal_m2:.2f} m² by {delta_m2:+.2f} m²; "
            "{tolerance_m2:.2f} m² are tolerated ({source})",
            "diện tích {area_m2:.2f} m² khác diện tích pháp lý {legal_m2:.2f} m²: {delta_m2:+.2f} m²; "
            "cho phép {tolerance_m2:.2f} m² ({source})",
        ),
        Kind.LAND_USES: (
            _E,
            "its land uses {uses} are {total_m2:.2f} m² together, its area is {area_m2:.2f} m², its main use {use}",
            "các loại đất {uses} cộng lại {total_m2:.2f} m², diện tích thửa {area_m2:.2f} m², loại đất chính {use}",
        ),
        Kind.WRONG_CRS: (
            _E,
            "the coordinates fit {fits}, not {said}: {evidence}",
            "tọa độ phù hợp với {fits}, không phải {said}: {evidence}",
        ),
        Kind.WRONG_DATUM: (
            _E,
            "the datum is wrong by {shift_m:.0f} m: the coordinates fit {fits}, not {said}: {evidence}",
            "sai hệ quy chiếu {shift_m:.0f} m: tọa độ phù hợp với {fits}, không phải {said}: {evidence}",
        ),
        Kind.SWAPPED_AXES: (
            _E,
            "x and y are swapped: the coordinates fit {fits} the other way round: {evidence}",
            "đảo trục x và y: tọa độ phù hợp với {fits} khi đổi trục: {evidence}",
        ),
        Kind.DEGREES: (
            _E,
            "the coordinates are degrees, {said} is in metres",
            "tọa độ là độ, nhưng {said} tính bằng mét",
        ),
        Kind.METRES: (
            _E,
            "the coordinates are metres, {said} is in degrees",
            "tọa độ là mét, nhưng {said} tính bằng độ",
        ),
        Kind.OUTSIDE: (
            _E,
            "it lies outside of where {said} is used: {evidence}",
            "nằm ngoài phạm vi sử dụng của {said}: {evidence}",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a record, or with a whole file."""

    kind: Kind
    record: str
    """Which record, with its file."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    shape: BaseGeometry | None = None
    """Where to look."""

    @property
    def severity(self) -> Severity:
        """Whether it stops the import."""
        return _WORDS[self.kind][0]

    @property
    def en(self) -> str:
        """The reason in English."""
        return _WORDS[self.kind][1].format(**self.facts)

    @property
    def vi(self) -> str:
        """The reason in Vietnamese."""
        return _WORDS[self.kind][2].format(**self.facts)

    def document(self) -> dict[str, Any]:
        """As JSON can hold it, its place as WKB in hexadecimal."""
        shape = None if self.shape is None else shapely.to_wkb(self.shape, hex=True)
        return {"kind": str(self.kind), "record": self.record, "facts": dict(self.facts), "shape": shape}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Problem:
        """The problem of a document of one."""
        shape = None if document["shape"] is None else shapely.from_wkb(document["shape"])
        return cls(Kind(document["kind"]), document["record"], document["facts"], shape)

    @property
    def is_error(self) -> bool:
        """Whether nothing may be written."""
        return self.severity is Severity.ERROR
