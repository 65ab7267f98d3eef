"""A dossier as JSON for whoever holds its receipt: where it stands, without anybody's name."""

from __future__ import annotations

from datetime import date
from typing import Any

from gis.construction.dossier import Dossier
from gis.construction.public_status import public_status
from gis.store.dossiers import clock_of


def public_document(dossier: Dossier, today: date) -> dict[str, Any]:
    """Status, due date and next step.

    Args:
        dossier: As it is.
        today: The day of the question, in Vietnam.
    """
    return public_status(dossier, clock_of(dossier, today))
