"""The register of source documents, and their files, which lie in the city's folder under the name of their SHA-256."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import ARRAY, Connection, Text, any_, func, literal, select

from gis.errors import BadInput, NotFound, UnreadableFile
from gis.files import sha256, written_whole
from gis.land.sources import SignatureStatus, SourceDocument
from gis.store import versions
from gis.store.rights_tables import source_document
from gis.store.versions import Saved, at

FOLDER = "documents"
MAX_BYTES = 200 * 2**20
"""A larger file is no paper."""
_COLUMNS = ("uid", "kind", "number", "date", "sha256", "path", "signature_status", "signed_by")


class FileState(StrEnum):
    """What a document's file is found to be."""

    INTACT = "intact"
    TAMPERED = "tampered"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Checked:
    """A document's file held against what the register says of it."""

    document: SourceDocument
    state: FileState
    found: str | None
    """SHA-256 of the file as it is."""


def save(connection: Connection, documents: Iterable[SourceDocument]) -> Saved:
    """Record documents; one told again without a file keeps the file it has.

    Raises:
        BadInput: one cannot be referred to, or occurs twice.
    """
    listed = list(documents)
    for one in listed:
        one.check()
    known = {one.uid: one for one in of_uids(connection, [one.uid for one in listed])}
    merged = (_with_file(one, known.get(one.uid)) for one in listed)
    rows = [{name: getattr(one, name) for name in _COLUMNS} for one in merged]
    return versions.record(connection, source_document, rows)


def add_file(connection: Connection, city_folder: Path, file: Path, document: SourceDocument) -> SourceDocument:
    """Copy a file into the city's folder, closed to others, and record the document with its SHA-256.

    Raises:
        UnreadableFile: there is no such file, or it is too large.
        BadInput: the document cannot be referred to, or its SHA-256 is told and is another.
    """
    document.check()
    if not file.is_file():
        raise UnreadableFile(file, "there is no such file")
    if file.stat().st_size > MAX_BYTES:
        raise UnreadableFile(file, f"it is larger than {MAX_BYTES // 2**20} MB")
    found = sha256(file)
    if document.sha256 not in (None, found):
        raise BadInput(f"{file}: its SHA-256 is {found}, not {document.sha256} as told")
    path = f"{FOLDER}/{found[:2]}/{found}{file.suffix.lower()}"
    target = city_folder / path
    if not target.exists() or sha256(target) != found:
        with written_whole(target) as part:
            shutil.copyfile(file, part)
            part.chmod(0o600)
    kept = replace(document, sha256=found, path=path)
    save(connection, [kept])
    return kept


def of_uids(connection: Connection, uids: Sequence[str], *, known_at: datetime | None = None) -> list[SourceDocument]:
    """Documents by uid as the register knew them at a moment (now). For the writer's login."""
    columns = [source_document.c[name] for name in _COLUMNS]
    listed = source_document.c.uid == any_(literal(list(uids), ARRAY(Text)))
    rows = connection.execute(
        select(*columns).where(listed, at(source_document, known_at=known_at)).order_by(columns[0])
    )
    return [_document(row) for row in rows]


def check_files(connection: Connection, city_folder: Path) -> list[Checked]:
    """Read every document's file that the register holds and compare its SHA-256, by uid."""
    columns = [source_document.c[name] for name in _COLUMNS]
    held = source_document.c.path.is_not(None)
    rows = connection.execute(
        select(*columns).where(held, func.upper_inf(source_document.c.recorded)).order_by(columns[0])
    ).all()
    return [_checked(_document(row), city_folder) for row in rows]


def require(connection: Connection, uid: str) -> None:
    """Refuse a paper that the register does not know.

    Raises:
        NotFound: it does not.
    """
    if not of_uids(connection, [uid]):
        raise NotFound("source document", uid)


def _with_file(document: SourceDocument, known: SourceDocument | None) -> SourceDocument:
    if known is None or document.sha256 not in (None, known.sha256):
        return document
    return replace(document, sha256=known.sha256, path=document.path or known.path)


def _checked(document: SourceDocument, city_folder: Path) -> Checked:
    path = city_folder / str(document.path)
    if not path.is_file():
        return Checked(document, FileState.MISSING, None)
    found = sha256(path)
    return Checked(document, FileState.INTACT if found == document.sha256 else FileState.TAMPERED, found)


def _document(row: Sequence[object]) -> SourceDocument:
    values = dict(zip(_COLUMNS, row, strict=True))
    return SourceDocument(**{**values, "signature_status": SignatureStatus(str(values["signature_status"]))})  # type: ignore[arg-type]
