"""Where a dossier stands, in words for the applicant: its status, whose turn it is, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from gis.construction.dossier import OPEN, Dossier, Status
from gis.construction.procedure import CONSULTATION, DECIDE, EXAMINE, Clock

TITLES: Mapping[Status, tuple[str, str]] = MappingProxyType(
    {
        Status.FILED: ("Đã tiếp nhận", "Filed"),
        Status.EXAMINED: ("Đã kiểm tra hồ sơ", "Examined"),
        Status.SUPPLEMENT_REQUESTED: ("Chờ bổ sung hồ sơ", "Waiting for the applicant's supplement"),
        Status.SUPPLEMENTED: ("Đã bổ sung hồ sơ", "Supplemented"),
        Status.CONSULTING: ("Đang lấy ý kiến", "Agencies are being consulted"),
        Status.CONSULTED: ("Đã lấy ý kiến", "Agencies were consulted"),
        Status.GRANTED: ("Đồng ý cấp phép", "Granted"),
        Status.REFUSED: ("Từ chối cấp phép", "Refused"),
        Status.ISSUED: ("Đã trả kết quả", "Issued"),
        Status.REVOKED: ("Đã thu hồi giấy phép", "Revoked"),
        Status.WITHDRAWN: ("Đã rút hồ sơ", "Withdrawn"),
    }
)
"""Each status in Vietnamese and English."""
_OWN = {
    "supplement": ("Bổ sung hồ sơ", "Supplement the dossier"),
    "collect": ("Nhận kết quả", "Collect the result"),
}


@dataclass(frozen=True, slots=True)
class NextStep:
    """What comes next."""

    step: str
    title_vi: str
    title: str
    role: str
    """Whose turn it is: office, agency or applicant."""
    due: date | None
    """None where no law sets a time."""


def next_step(dossier: Dossier, clock: Clock) -> NextStep | None:
    """What comes next for a dossier; None when nothing does.

    Args:
        dossier: As it is.
        clock: Its clock on the day of the question.
    """
    if dossier.status is Status.SUPPLEMENT_REQUESTED:
        return _own("supplement")
    if dossier.status is Status.GRANTED:
        return _own("collect")
    if dossier.status not in OPEN:
        return None
    waiting = [asked.due for asked in dossier.consultations if asked.is_open]
    if dossier.status is Status.CONSULTING and waiting:
        return _of_clock(clock, CONSULTATION, max(waiting))
    if dossier.status is Status.FILED and clock.version.step(EXAMINE) is not None:
        return _of_clock(clock, EXAMINE)
    return _of_clock(clock, DECIDE)


def clock_state(dossier: Dossier) -> str:
    """Whether the clock is running, stopped while the applicant supplements, or ended."""
    if dossier.status not in OPEN:
        return "ended"
    return "stopped" if dossier.status is Status.SUPPLEMENT_REQUESTED else "running"


def _own(step: str) -> NextStep:
    title_vi, title = _OWN[step]
    return NextStep(step, title_vi, title, "applicant", None)


def _of_clock(clock: Clock, name: str, due: date | None = None) -> NextStep:
    entry = next(entry for entry in clock.steps if entry.step.name == name)
    step = entry.step
    return NextStep(step.name, step.title_vi, step.title, step.role, due or entry.due)
