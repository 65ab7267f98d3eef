"""Source documents: the papers that rights stand on, known by number, date and the SHA-256 of their file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gis.errors import BadInput

_SHA256 = re.compile(r"[0-9a-f]{64}")
_UID = re.compile(r"[\w./-]{1,100}")


class SignatureStatus(StrEnum):
    """What is known of a document's digital signature; the register keeps what the office found, it verifies none."""

    UNSIGNED = "unsigned"
    SIGNED = "signed"
    VERIFIED = "verified"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A paper."""

    uid: str
    kind: str
    """E.g. notarised_contract, judgment, inheritance_deed, decision."""
    number: str | None = None
    date: date | None = None
    sha256: str | None = None
    """Of the file; None when the register has none."""
    path: str | None = None
    """Of the file, below the city's folder."""
    signature_status: SignatureStatus = SignatureStatus.UNSIGNED
    signed_by: str | None = None

    def check(self) -> None:
        """Refuse a document that cannot be referred to.

        Raises:
            BadInput: its uid is no plain name, its kind is empty, or its SHA-256 is none.
        """
        if not _UID.fullmatch(self.uid):
            raise BadInput(f"source document {self.uid[:40]!r}: its uid is letters, digits and . / - _, at most 100")
        if not self.kind:
            raise BadInput(f"source document {self.uid}: say of what kind it is")
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise BadInput(f"source document {self.uid}: a SHA-256 is 64 digits of 0-9 and a-f")
