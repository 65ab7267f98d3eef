"""A sheet made, entered into the register of sheets, and printed; one at a time in a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from secrets import token_hex
from threading import Lock
from time import thread_time
from typing import TYPE_CHECKING, Final, Literal

from api.errors import TooBusy, TooSlow
from api.evidence.page import Edition, page
from api.evidence.settings import signing
from api.evidence.sheet import EvidenceSheet
from api.evidence.texts import LANGUAGES, Language
from gis.store.evidence_sheets import SheetRow

if TYPE_CHECKING:
    from pyhanko.sign import SimpleSigner

Form = Literal["html", "pdf"]
WAIT_SECONDS: Final = 20.0
"""Longest a request waits for the sheet before it."""
BUILD_SECONDS: Final = 60.0
"""Of a processor: a sheet whose points take longer to read is not drawn; drawing itself is bounded by what a sheet may
hold. A machine that is busy with other things makes no sheet too large."""
REASON: Final = "diaba evidence sheet"
PROCESS: Final = token_hex(8)
"""Part of the name of signed answers: signed twice, the same sheet has other bytes."""
_building = Lock()


@dataclass(frozen=True, slots=True)
class Printed:
    """How a sheet is to be printed."""

    language: Language
    form: Form
    base: str
    """Address of the service that verifies it, without a slash at the end."""

    def edition(self, digest: str, made_at: datetime) -> Edition:
        """The edition of a sheet."""
        return Edition(self.language, f"{self.base}/evidence/{digest}", made_at.astimezone(UTC), self.form)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Build no two sheets at once: each takes a processor for seconds.

    Raises:
        TooBusy: the sheets before it took too long.
        TooSlow: what was done within took longer than a sheet may.
    """
    if not _building.acquire(timeout=WAIT_SECONDS):
        raise TooBusy
    started = thread_time()
    try:
        yield
        if thread_time() - started > BUILD_SECONDS:
            raise TooSlow(BUILD_SECONDS)
    finally:
        _building.release()


def row_of(sheet: EvidenceSheet, parcel_uid: str | None, made_by: str) -> SheetRow:
    """As the register of sheets takes it.

    Args:
        sheet: The sheet.
        parcel_uid: Of the case, by which its row is shown; that of the sheet may be hidden from its reader.
        made_by: Who asked for it.
    """
    finding = sheet.finding
    return SheetRow(
        digest=sheet.digest,
        case_id=None if finding is None else finding.case,
        kind=None if finding is None else finding.kind,
        building_uid=sheet.measured.building,
        parcel_uid=parcel_uid,
        epoch=sheet.survey.epoch,
        languages=LANGUAGES,
        software=sheet.software,
        made_by=made_by,
    )


def printed(sheet: EvidenceSheet, how: Printed, made_at: datetime, signer: SimpleSigner | None) -> bytes:
    """The pages as bytes; a PDF is signed where there is a key."""
    edition = how.edition(sheet.digest, made_at)
    if how.form == "html":
        return page(sheet, edition).encode()
    # Loaded when the first PDF is asked for: both take longer to load than most services to start.
    from api.evidence.pdf import pdf

    document = pdf(sheet, edition)
    if signer is None:
        return document
    from api.evidence.signature import sign

    return sign(document, signer, REASON)


def signer_of_installation() -> SimpleSigner | None:
    """The key that is configured now, opened once; None where none is.

    Raises:
        BadParameter: a file that is named is not there.
        UnreadableFile: key, certificate or password do not fit.
    """
    settings = signing()
    if settings is None:
        return None
    from api.evidence.signature import signer_of

    return signer_of(settings)


@cache
def software() -> str:
    """Version of the program."""
    try:
        return version("diaba")
    except PackageNotFoundError:
        # A checkout that was not installed.
        return "0.0.0"
