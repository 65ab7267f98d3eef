"""Where the measured city and the permitted city differ, each difference with what the measurement allows to say.

A difference is flagged for a person to inspect only when it exceeds the tolerance by more than k·σ, with k set by the
false-alarm rate the office accepts. Nothing here accuses anybody: the input is a survey and a register, both with
errors.
"""

from gis.construction.compliance.compare import differences
from gis.construction.compliance.values import (
    ComplianceParameters,
    Difference,
    Kind,
    Observation,
    Parcel,
    Permit,
    Zone,
)

__all__ = [
    "ComplianceParameters",
    "Difference",
    "Kind",
    "Observation",
    "Parcel",
    "Permit",
    "Zone",
    "differences",
]
