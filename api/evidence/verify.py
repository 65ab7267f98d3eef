"""Whether an evidence sheet's PDF says what its content says: pages are made anew and compared, word and picture."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from pypdfium2 import PdfDocument, PdfiumError

from api.evidence.build import software
from api.evidence.page import Edition
from api.evidence.pdf import CONTENT, EDITION, pdf
from api.evidence.sheet import BYTES_MOST, EvidenceSheet, parse_sheet
from api.evidence.signature import Signature, signatures
from api.evidence.texts import LANGUAGES
from gis.errors import BadInput, UnreadableFile

FILE_MOST: Final = 20_000_000
"""Bytes of a file that is looked at; a sheet has a hundredth of it."""
PAGES_MOST: Final = 12
TOLD_MOST: Final = 12
"""Differences that are told."""
SCALE: Final = 1.5
"""Pixels per point of the pages that are compared."""
LOUD: Final = 60
"""Of 255, by which a pixel differs that was printed otherwise."""
PIXELS: Final = 6
"""Such pixels of a page from which on it is told: less is the rounding of another machine's rasteriser."""
_ADDRESS = re.compile(r"https?://[^\s\"<>]{1,1000}/evidence/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    digest: str
    """SHA-256 of the content that the file carries."""
    sheet: EvidenceSheet
    edition: Edition
    problems: tuple[str, ...]
    """What differs, a sentence each; none: the pages say what the content says."""
    signatures: tuple[Signature, ...]
    notes: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing speaks against the file."""
        return not self.problems


def verify(path: Path, authorities: Sequence[Path] = ()) -> Report:
    """Judge a sheet's PDF by itself alone; whether the register knows its digest is asked elsewhere.

    Args:
        path: The file.
        authorities: Certificates of whom signatures are believed.

    Raises:
        UnreadableFile: it is no PDF.
        BadInput: it is no evidence sheet.
    """
    if not path.is_file():
        raise UnreadableFile(path, "there is no such file")
    if path.stat().st_size > FILE_MOST:
        raise UnreadableFile(path, f"an evidence sheet has at most {FILE_MOST} bytes")
    return judged(path.read_bytes(), str(path), authorities)


def judged(document: bytes, name: str, authorities: Sequence[Path] = ()) -> Report:
    """The same of the bytes of a file."""
    try:
        opened = PdfDocument(document)
    except PdfiumError as error:
        raise UnreadableFile(name, "no PDF that can be read") from error
    try:
        attached = _attachments(opened, name)
        if len(opened) > PAGES_MOST:
            raise BadInput(f"{name}: an evidence sheet has at most {PAGES_MOST} pages")
        sheet, edition = parse_sheet(attached[CONTENT], name), _edition(attached[EDITION], name)
        digest = sha256(attached[CONTENT]).hexdigest()
        problems = [*_content_problems(attached[CONTENT], sheet, digest, edition)]
        notes = []
        if not problems:
            anew = PdfDocument(pdf(sheet, edition))
            try:
                problems += _texts(opened, anew)
                if sheet.software == software():
                    problems += _pictures(opened, anew)
                else:
                    notes.append(f"made by version {sheet.software}, looked at by {software()}: pictures not compared")
            finally:
                anew.close()
    finally:
        opened.close()
    found = signatures(document, authorities)
    for one in found:
        if not one.is_good:
            problems.append(f"signature of {one.signer}: {_why(one)}")
    return Report(digest, sheet, edition, tuple(problems[:TOLD_MOST]), found, tuple(notes))


def _why(one: Signature) -> str:
    return "the file was changed after it" if not one.is_intact else "no believed authority vouches for the signer"


def _attachments(document: Any, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for number in range(min(document.count_attachments(), 20)):
        one = document.get_attachment(number)
        called = one.get_name()
        if called in (CONTENT, EDITION):
            if called in found:
                raise BadInput(f"{name}: it has two attachments {called}")
            found[called] = bytes(one.get_data())
    if set(found) != {CONTENT, EDITION} or any(len(content) > BYTES_MOST for content in found.values()):
        raise BadInput(f"{name}: no evidence sheet of diaba: the attachments {CONTENT} and {EDITION} are not in it")
    return found


def _edition(content: bytes, name: str) -> Edition:
    try:
        told = orjson.loads(content)
        language, address, made_at = told["language"], told["address"], datetime.fromisoformat(told["made_at"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{name}: its attachment {EDITION} cannot be read") from error
    if language not in LANGUAGES or not isinstance(address, str) or _ADDRESS.fullmatch(address) is None:
        raise BadInput(f"{name}: its attachment {EDITION} names no language or address of a sheet")
    if made_at.tzinfo is None:
        raise BadInput(f"{name}: its attachment {EDITION} names no moment")
    return Edition(language, address, made_at, "pdf")


def _content_problems(content: bytes, sheet: EvidenceSheet, digest: str, edition: Edition) -> Iterator[str]:
    if sheet.canonical != content:
        yield f"attachment {CONTENT}: it is not in the canonical form, so it was changed"
    match = _ADDRESS.fullmatch(edition.address)
    if match is None or match[1] != digest:
        yield f"attachment {CONTENT}: its SHA-256 is {digest}, the sheet was issued as {match[1] if match else '?'}"


def _texts(given: Any, anew: Any) -> Iterator[str]:
    """Words and figures that are printed otherwise than the content says."""
    if len(given) != len(anew):
        yield f"it has {len(given)} pages, the content fills {len(anew)}"
    for number in range(min(len(given), len(anew))):
        printed, expected = _words(given[number]), _words(anew[number])
        matcher = difflib.SequenceMatcher(None, expected, printed, autojunk=False)
        for kind, a0, a1, b0, b1 in matcher.get_opcodes():
            if kind != "equal":
                says, shows = " ".join(expected[a0:a1])[:120], " ".join(printed[b0:b1])[:120]
                context = " ".join(expected[max(a0 - 4, 0) : a0])
                yield f"page {number + 1}, after “{context}”: printed is “{shows}”, the content says “{says}”"


def _words(page: Any) -> list[str]:
    text: str = page.get_textpage().get_text_bounded()
    return text.split()


def _pictures(given: Any, anew: Any) -> Iterator[str]:
    """Pages that look otherwise, and where most."""
    for number in range(min(len(given), len(anew))):
        first, second = _pixels(given[number]), _pixels(anew[number])
        if first.shape != second.shape:
            yield f"page {number + 1}: it has another size"
            continue
        rows, columns = np.nonzero(np.abs(first.astype(np.int16) - second) > LOUD)
        if len(rows) > PIXELS:
            down, across = 100 * np.median(rows) / first.shape[0], 100 * np.median(columns) / first.shape[1]
            yield (
                f"page {number + 1}: {len(rows)} of its pixels look otherwise than the content draws them, "
                f"about {across:.0f} % from the left and {down:.0f} % from above"
            )


def _pixels(page: Any) -> NDArray[np.uint8]:
    # Forms and notes that somebody put on the page are seen too.
    bitmap = page.render(scale=SCALE, grayscale=True, may_draw_forms=True)
    array: NDArray[np.uint8] = bitmap.to_numpy()
    return array.reshape(array.shape[0], array.shape[1]).copy()
