"""A sheet as PDF: tagged (PDF/UA-1), fonts embedded, its canonical content attached."""

from __future__ import annotations

import logging
from typing import Final

import orjson
from weasyprint import HTML, Attachment
from weasyprint.urls import URLFetcher

from api.evidence.page import Edition, page
from api.evidence.sheet import EvidenceSheet

CONTENT: Final = "evidence.json"
"""The attachment whose SHA-256 is printed."""
EDITION: Final = "edition.json"
"""The attachment that says in which language, for which address and moment the pages were made."""

logging.getLogger("weasyprint").setLevel(logging.ERROR)
logging.getLogger("fontTools").setLevel(logging.ERROR)


def pdf(sheet: EvidenceSheet, edition: Edition) -> bytes:
    """The document; made without a network, and the same bytes for the same sheet and edition."""
    told = {
        "language": edition.language,
        "address": edition.address,
        "made_at": edition.made_at.isoformat(timespec="seconds"),
    }
    attachments = [
        _attached(CONTENT, sheet.canonical, "canonical content", edition),
        _attached(EDITION, orjson.dumps(told), "edition", edition),
    ]
    document = HTML(string=page(sheet, edition), url_fetcher=URLFetcher(allowed_protocols=("data",)))
    made: bytes = document.write_pdf(
        pdf_variant="pdf/ua-1", attachments=attachments, pdf_identifier=bytes.fromhex(sheet.digest[:32])
    )
    return made


def _attached(name: str, content: bytes, description: str, edition: Edition) -> Attachment:
    return Attachment(
        string=content,
        name=name,
        description=description,
        created=edition.made_at,
        modified=edition.made_at,
        relationship="Data",
    )
