"""What the properties of features are: their kind, their name for people, their unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    NUMBER = "double precision"
    INTEGER = "bigint"
    DATE = "date"
    BOOLEAN = "boolean"
    DOCUMENT = "jsonb"
    """JSON of a form of its own; it is shown and can be neither filtered nor sorted by."""

    @property
    def is_number(self) -> bool:
        """Whether it can be reckoned with."""
        return self in (Kind.NUMBER, Kind.INTEGER)


@dataclass(frozen=True, slots=True)
class PropertyType:
    """A property, for programs and for people."""

    kind: Kind
    title: str
    unit: str | None = None


def _texts(**titles: str) -> dict[str, PropertyType]:
    return {name: PropertyType(Kind.TEXT, title) for name, title in titles.items()}


def _numbers(unit: str | None, **titles: str) -> dict[str, PropertyType]:
    return {name: PropertyType(Kind.NUMBER, title, unit) for name, title in titles.items()}


def _integers(**titles: str) -> dict[str, PropertyType]:
    return {name: PropertyType(Kind.INTEGER, title) for name, title in titles.items()}


def _dates(**titles: str) -> dict[str, PropertyType]:
    return {name: PropertyType(Kind.DATE, title) for name, title in titles.items()}


TYPES: Mapping[str, PropertyType] = {
    **_texts(
        uid="Mã · Identifier",
        id="Mã · Identifier",
        ward_code="Mã phường, xã · Ward code",
        sheet_no="Tờ bản đồ · Map sheet",
        parcel_no="Số thửa · Parcel number",
        land_use="Mục đích sử dụng · Land use",
        address="Địa chỉ · Address",
        permit_no="Số giấy phép · Permit number",
        type="Loại · Type",
        status="Tình trạng · Status",
        superseded_by="Thay bằng · Superseded by",
        parcel_uid="Thửa đất · Parcel",
        building_uid="Công trình · Building",
        use="Công năng · Use",
        epoch="Đợt bay · Survey",
        lod="Mức chi tiết · Level of detail",
        reason="Lý do · Reason",
        source="Nguồn · Source",
        name="Tên · Name",
        level="Cấp quy hoạch · Planning level",
        decision="Quyết định · Decision",
        kind="Loại khác biệt · Kind of difference",
        unit="Đơn vị · Unit",
        sha256="Mã băm · SHA-256",
        crs="Hệ tọa độ · CRS",
        assigned_to="Giao cho · Assigned to",
        outcome="Kết quả kiểm tra · Outcome of the last inspection",
        flagged_at="Phát hiện lúc · Flagged at",
        changed_at="Thay đổi lúc · Changed at",
        closed_at="Kết thúc lúc · Not found again at",
    ),
    **_numbers(
        "m²",
        area_legal="Diện tích pháp lý · Legal area",
        area_measured="Diện tích đo · Measured area",
        ground_area_m2="Diện tích xây dựng · Ground area",
        gross_floor_area_m2="Tổng diện tích sàn · Gross floor area",
        area="Diện tích · Area",
        sigma_area="σ diện tích · σ of the area",
    ),
    **_numbers(
        "m",
        height_m="Chiều cao · Height",
        setback_front_m="Khoảng lùi trước · Front setback",
        setback_rear_m="Khoảng lùi sau · Rear setback",
        ground_level_m="Cốt nền · Ground level",
        ground_height="Cao độ nền · Ground height",
        roof_height_min="Mái thấp nhất · Lowest of the roof",
        roof_height_50p="Mái trung vị · Median of the roof",
        roof_height_70p="Mái 70 % · 70 % of the roof",
        roof_height_max="Đỉnh mái · Top of the roof",
        height="Chiều cao · Height",
        sigma_height="σ chiều cao · σ of the height",
        reserve_width_m="Lộ giới · Width of the road reserve",
        height_max_m="Chiều cao tối đa · Height at most",
    ),
    **_numbers("%", density_pct="Mật độ xây dựng · Building density"),
    **_numbers("m⁻²", point_density="Mật độ điểm · Point density", density="Mật độ điểm · Point density"),
    **_numbers(
        None,
        far="Hệ số sử dụng đất · Floor area ratio",
        no_data_fraction="Phần thiếu dữ liệu · Share without data",
        actual="Thực tế · Actual",
        limit_value="Giới hạn · Limit",
        delta="Chênh lệch · Difference",
        sigma="σ · σ",
        confidence="Độ tin cậy · Confidence",
    ),
    **_integers(
        floors="Số tầng · Floors",
        basements="Tầng hầm · Basements",
        floors_max="Tầng cao tối đa · Floors at most",
        point_count="Số điểm · Points",
        inspections="Số lần kiểm tra · Inspections",
    ),
    **_dates(
        valid_from="Có hiệu lực từ · Valid from",
        valid_to="Hết hiệu lực · No more valid from",
        issued="Ngày cấp · Issued",
        expires="Hết hạn · Expires",
        flown_from="Bay từ · Flown from",
        flown_to="Bay đến · Flown to",
        survey_date="Ngày đo · Surveyed",
        assigned_until="Hạn kiểm tra · To be inspected until",
        inspected_on="Ngày kiểm tra · Inspected",
    ),
    "evidence": PropertyType(Kind.DOCUMENT, "Căn cứ · Evidence"),
    "classes": PropertyType(Kind.DOCUMENT, "Lớp điểm · Points by class"),
}
"""Of all properties of all collections: a name means the same everywhere."""

GEOMETRY = "geometry"
"""The name filters know a feature's geometry by."""


def queryables(names: Mapping[str, str]) -> dict[str, PropertyType]:
    """Those of a collection's properties that can be filtered and sorted by."""
    return {name: TYPES[name] for name in names if TYPES[name].kind is not Kind.DOCUMENT}
