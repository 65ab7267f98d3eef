"""Certificates of rights (giấy chứng nhận) and their lives: draft, issued, then replaced, revoked or lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

from gis.errors import BadInput
from gis.lifecycle import Lifecycle, read_lifecycle
from gis.resources import resource


class CertificateStatus(StrEnum):
    """Where in its life a certificate is."""

    DRAFT = "draft"
    ISSUED = "issued"
    REPLACED = "replaced"
    REVOKED = "revoked"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate over a time of its life."""

    serial: str
    """Printed on it, e.g. "AB 123456"."""
    unit: str
    status: CertificateStatus
    start: date | None
    """First day of the status."""
    end: date | None = None
    book_no: str | None = None
    """Number in the book of certificates given out."""
    party: str | None = None
    """Whose copy it is, where each holder has one."""
    issued: date | None = None
    replaced_by: str | None = None
    """Serial of the certificate that took its place."""
    source: str | None = None

    def check(self) -> None:
        """Refuse a certificate that cannot be.

        Raises:
            BadInput: it has no serial, is given out without a day, or names a successor though it is not replaced, or
                itself.
        """
        if not self.serial.strip() or len(self.serial) > 40:
            raise BadInput(f"certificate {self.serial[:40]!r}: a serial of at most 40 characters is needed")
        if self.status not in (CertificateStatus.DRAFT, CertificateStatus.REVOKED) and self.issued is None:
            raise BadInput(f"certificate {self.serial}: say when it was issued")
        if self.replaced_by is not None and self.status is not CertificateStatus.REPLACED:
            raise BadInput(f"certificate {self.serial}: only a replaced certificate has a successor")
        if self.replaced_by == self.serial:
            raise BadInput(f"certificate {self.serial}: it cannot replace itself")


@cache
def certificate_life() -> Lifecycle:
    """Which status may follow which (`data/rights/certificate_transitions.csv`)."""
    return read_lifecycle(resource("rights", "certificate_transitions.csv"))
