"""What an evidence sheet says, as a value: it alone decides every word, figure and line of the pages.

The value is the same in every language. Its canonical JSON (`api.evidence.canonical`) is what is hashed, what lies in
the PDF as an attachment, and what the pages are made from again. Lengths are metres, areas square metres, coordinates
of the city's horizontal CRS to the millimetre; drawings count from `Drawing.origin`, in centimetres.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from api.evidence.canonical import LARGEST, canonical, digest
from gis.errors import BadInput

FORMAT: Final = "diaba evidence 1"
TEXT_MOST: Final = 2_000
LIST_MOST: Final = 20_000
BYTES_MOST: Final = 2_000_000
"""Of the canonical text of a sheet; one of a house has some 60 kB."""

Text = Annotated[str, Field(max_length=TEXT_MOST)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Place = tuple[int, int]
"""East and north of a drawing's origin, cm."""
Line = Annotated[tuple[Place, ...], Field(max_length=LIST_MOST)]
Area = Annotated[tuple[Line, ...], Field(max_length=200)]
"""Outer ring and holes, closed."""
Point = tuple[int, int, int]


class Part(BaseModel):
    """A part of the sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _as_read_back(value: str | float | bool | None) -> str | float | bool | None:
    """A value as its JSON gives it back: 0.0 is written 0, and the pages say it alike before and after."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST else value


class Finding(Part):
    """What was flagged, as the register of differences has it."""

    case: Text
    kind: Text
    status: Text
    actual: float | None
    limit: float | None
    unit: Text | None
    delta: float | None
    sigma: float | None
    confidence: float | None
    """Probability that the true difference exceeds the tolerance, for normal errors."""
    evidence: dict[Text, Annotated[str | int | float | bool | None, AfterValidator(_as_read_back)]]


class Measured(Part):
    """The building as the survey measured it."""

    building: Text
    height: float | None
    sigma_height: float | None
    ground_height: float | None
    roof_height: float | None
    """Of the block that `height` is of: ground plus height."""
    roof_height_max: float | None
    area: float | None
    sigma_area: float | None
    sigma_outline: float | None
    """Planimetric, of the outline's edges."""
    storeys: int | None
    """As estimated from the height, and within what."""
    storeys_least: int | None
    storeys_most: int | None
    level_of_detail: Text
    points: int
    density: float | None
    """Points per m² of roof."""
    no_data_share: float | None
    outline: Literal["known", "derived"]
    """Of a base map, or derived from points."""


class Comparison(Part):
    """A measured figure beside what is permitted."""

    quantity: Literal["height", "outside_permitted", "over_parcel_line", "setback_front"]
    actual: float
    sigma: float
    limit: float
    unit: Text
    tolerance: float
    k: float
    verdict: Literal["within", "beyond", "open"]
    """Beyond: by more than tolerance and k·σ. Open: beyond the limit, but not by as much."""


class Limit(Part):
    """A limit that applies, and where it is written."""

    quantity: Text
    at_most: bool
    value: float
    unit: Text
    source: Text
    kind: Literal["permit", "zone", "rule"]
    doubt: Text | None


class Parcel(Part):
    """The parcel, without persons."""

    uid: Text
    ward: Text | None
    sheet: Text | None
    number: Text | None
    land_use: Text | None
    area_legal: float | None
    area_measured: float
    address: Text | None


class Permit(Part):
    """The permit held against the building."""

    number: Text
    type: Text
    status: Text
    issued: Day | None
    expires: Day | None
    use: Text | None
    floors: int | None
    height: float | None
    ground_area: float | None
    floor_area: float | None
    setback_front: float | None
    setback_rear: float | None
    ground_level: float | None


class Survey(Part):
    """When and how the building was measured."""

    epoch: Text
    first_day: Day | None
    last_day: Day | None
    density: float | None
    """Points per m² of the survey's files."""
    point_noise: float | None
    """Standard deviation of roof points about their planes."""
    files: int


class Step(Part):
    """A state of the case."""

    since: Text
    status: Text
    outcome: Text | None
    """Of the inspection that made it."""
    inspected_on: Day | None
    measured: float | None
    """On the ground, in the case's unit."""


class Input(Part):
    """What the sheet rests on: a row of a register or a file, by its SHA-256."""

    what: Literal["case", "building", "parcel", "permit", "points", "survey"]
    name: Text
    version: int | None
    sha256: Sha256


class Neighbour(Part):
    """Something near, for the map."""

    label: Text
    area: Area
    low: int | None = None
    """Of a building: ground and roof, cm above the vertical datum."""
    high: int | None = None


class Road(Part):
    """A road's axis and the land reserved for it."""

    label: Text
    width: float | None
    axis: Line
    reserve: tuple[Area, ...]


class Section(Part):
    """A slice through the point cloud along a line on the map. Distances along it and heights are in cm."""

    start: Place
    end: Place
    half_width: int
    points: Annotated[tuple[tuple[int, int, Literal[0, 1, 2]], ...], Field(max_length=LIST_MOST)]
    """Distance, height above the vertical datum, and 1 for ground, 2 for roof of the building, 0 for the rest."""
    footprint: tuple[tuple[int, int], ...]
    """From where to where the line runs over the building, …"""
    permitted: tuple[tuple[int, int], ...]
    """… over the permitted footprint, …"""
    parcel: tuple[tuple[int, int], ...]
    """… and over the parcel."""
    profile: tuple[tuple[int, int, int, int], ...]
    """Where the model's faces cross it: distance and height of both ends."""


class Drawing(Part):
    """Geometry of the pictures."""

    origin: Place
    """Metres east and north, in the city's CRS."""
    half_side: int
    parcel: Area | None
    footprint: Area
    permitted: tuple[Area, ...]
    setback: tuple[Line, ...]
    """Line the front must keep behind."""
    parcels: tuple[Neighbour, ...]
    buildings: tuple[Neighbour, ...]
    roads: tuple[Road, ...]
    section: Section
    corners: Annotated[tuple[Point, ...], Field(max_length=LIST_MOST)]
    """Of the building's model: east, north, height above the vertical datum."""
    triangles: Annotated[tuple[tuple[int, int, int], ...], Field(max_length=LIST_MOST)]
    cloud: Annotated[tuple[Point, ...], Field(max_length=LIST_MOST)]
    """Points on and around the building."""


class EvidenceSheet(Part):
    """All that the pages say."""

    format: Literal["diaba evidence 1"] = "diaba evidence 1"
    software: Text
    city: Text
    invented: bool
    """The city is simulated: nothing here is about anybody."""
    crs: Text
    vertical: Text
    finding: Finding | None
    open_cases: int | None
    measured: Measured
    comparisons: tuple[Comparison, ...]
    limits: tuple[Limit, ...]
    parcel: Parcel | None
    holders: tuple[Text, ...] | None
    """Who has a right in the land; None where the reader may not see people."""
    permit: Permit | None
    survey: Survey
    history: tuple[Step, ...]
    inputs: tuple[Input, ...]
    drawing: Drawing

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return self.model_dump(mode="json")

    @property
    def canonical(self) -> bytes:
        """The canonical JSON."""
        return canonical(self.document)

    @property
    def digest(self) -> str:
        """SHA-256 of it, hexadecimal."""
        return digest(self.document)


def parse_sheet(content: bytes, name: str) -> EvidenceSheet:
    """A sheet out of its JSON, which may be a stranger's.

    Raises:
        BadInput: it is no evidence sheet; the name says whose content it is.
    """
    if len(content) > BYTES_MOST:
        raise BadInput(f"{name}: an evidence sheet has at most {BYTES_MOST} bytes")
    try:
        return EvidenceSheet.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise BadInput(f"{name}: no evidence sheet ({where[:100]}: {first['msg'][:120]})") from error
