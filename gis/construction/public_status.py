"""Where a dossier stands, as the public is told it: plain values, and nobody's name."""

from __future__ import annotations

from typing import Any

from gis.construction.dossier import Dossier
from gis.construction.next_step import TITLES, clock_state, next_step
from gis.construction.procedure import Clock


def public_status(dossier: Dossier, clock: Clock) -> dict[str, Any]:
    """Status, due date and next step.

    Args:
        dossier: As it is.
        clock: Its clock on the day of the question.
    """
    coming = next_step(dossier, clock)
    title_vi, title = TITLES[dossier.status]
    return {
        "receipt": dossier.receipt_no,
        "status": str(dossier.status),
        "status_vi": title_vi,
        "status_en": title,
        "filed": dossier.filed_on.isoformat(),
        "due": clock.due.isoformat(),
        "clock": clock_state(dossier),
        "next_step": None
        if coming is None
        else {
            "step": coming.step,
            "title_vi": coming.title_vi,
            "title_en": coming.title,
            "role": coming.role,
            "due": None if coming.due is None else coming.due.isoformat(),
        },
        "law": clock.version.law.title,
        "law_vi": clock.version.law.title_vi,
        "doubt": list(clock.doubt),
    }
