"""The JSON document of a transfer, a mortgage or a discharge, read at the door into values.

A transfer is shown in `gis.land.transfers`. A mortgage names `debtor`, `creditor` and, if it likes, `until`, `rank` and
`amount_vnd`; a discharge the `mortgages` that end, by id. A party not yet known is told with kind, name and id_no.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from gis.errors import BadInput, UnreadableFile
from gis.land.rights import PartyKind, parse_share
from gis.land.sources import SignatureStatus, SourceDocument
from gis.land.transfers import Part, Transfer, TransferKind

MAX_BYTES = 2**20
MAX_PARTS = 1000
"""More parties than this are a mistake."""


@dataclass(frozen=True, slots=True)
class NewParty:
    """A party that the register is to know, with its identity number."""

    uid: str
    kind: PartyKind
    name: str
    id_no: str | None


@dataclass(frozen=True, slots=True)
class NewMortgage:
    """A mortgage to be recorded."""

    unit: str
    type: str
    debtor: str
    creditor: str
    day: date
    until: date | None
    rank: int | None
    amount_vnd: int | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Discharge:
    """Mortgages to be ended."""

    mortgages: tuple[str, ...]
    day: date


@dataclass(frozen=True, slots=True)
class TransferDocument:
    """What is to be done, and the parties and the paper that come with it."""

    what: Transfer | NewMortgage | Discharge
    parties: tuple[NewParty, ...]
    source: SourceDocument | None


def read_document(path: Path) -> TransferDocument:
    """Read a document from a file.

    Raises:
        UnreadableFile: there is no such file, it is too large, or it is no JSON.
        BadInput: a part is missing, not known, or of another kind.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFile(path, f"it is larger than {MAX_BYTES // 2**20} MB")
        given = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "it cannot be read") from error
    except orjson.JSONDecodeError as error:
        raise UnreadableFile(path, f"it is not JSON ({error})") from error
    return parse_document(given)


def parse_document(given: object) -> TransferDocument:
    """Make values of a document.

    Raises:
        BadInput: a part is missing, not known, or of another kind; it is named.
    """
    whole = _Fields(given, "document")
    kind = whole.text("kind")
    parties: dict[str, NewParty] = {}
    source = None
    if whole.has("source"):
        source = _source(whole.take("source"))
    uid = source.uid if source is not None else None
    what: Transfer | NewMortgage | Discharge
    if kind == "mortgage":
        what = NewMortgage(
            unit=whole.text("unit"),
            type=whole.text("type"),
            debtor=_party(whole.take("debtor"), parties),
            creditor=_party(whole.take("creditor"), parties),
            day=whole.day("day"),
            until=whole.day("until") if whole.has("until") else None,
            rank=whole.whole("rank"),
            amount_vnd=whole.whole("amount_vnd"),
            source=uid,
        )
    elif kind == "discharge":
        what = Discharge(tuple(whole.texts("mortgages")), whole.day("day"))
    elif kind in set(TransferKind):
        what = Transfer(
            kind=TransferKind(kind),
            unit=whole.text("unit"),
            type=whole.text("type"),
            day=whole.day("day"),
            givers=tuple(_parts(whole.take("from"), "from", parties)),
            takers=tuple(_parts(whole.take("to"), "to", parties)),
            source=uid,
            discharged=tuple(whole.texts("discharged")) if whole.has("discharged") else (),
        )
        what.check()
    else:
        raise BadInput(f"kind {kind[:40]!r}: there are {', '.join(TransferKind)}, mortgage and discharge")
    whole.nothing_left()
    return TransferDocument(what, tuple(parties.values()), source)


def _parts(given: object, side: str, parties: dict[str, NewParty]) -> Iterator[Part]:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_PARTS:
        raise BadInput(f"{side}: give a list of 1 to {MAX_PARTS} parties with their shares")
    for place, one in enumerate(given, start=1):
        fields = _Fields(one, f"{side}[{place}]")
        party = _party(fields.take("party"), parties)
        share = fields.text("share")
        fields.nothing_left()
        yield Part(party, None if share == "all" else parse_share(share))


def _party(given: object, parties: dict[str, NewParty]) -> str:
    """The uid of a party; one told in full is added to the new ones."""
    if isinstance(given, str) and given:
        return given
    fields = _Fields(given, "party")
    kind = fields.text("kind")
    if kind not in set(PartyKind):
        raise BadInput(f"party kind {kind[:40]!r}: there are {', '.join(PartyKind)}")
    new = NewParty(
        fields.text("uid"), PartyKind(kind), fields.text("name"), fields.text("id_no") if fields.has("id_no") else None
    )
    fields.nothing_left()
    if parties.setdefault(new.uid, new) != new:
        raise BadInput(f"party {new.uid}: it is told twice, differently")
    return new.uid


def _source(given: object) -> SourceDocument:
    fields = _Fields(given, "source")
    found = SourceDocument(fields.text("uid"), fields.text("kind"))
    for name in ("number", "sha256", "signed_by"):
        if fields.has(name):
            found = replace(found, **{name: fields.text(name)})  # type: ignore[arg-type]
    if fields.has("date"):
        found = replace(found, date=fields.day("date"))
    if fields.has("signature_status"):
        status = fields.text("signature_status")
        if status not in set(SignatureStatus):
            raise BadInput(f"signature_status {status[:40]!r}: there are {', '.join(SignatureStatus)}")
        found = replace(found, signature_status=SignatureStatus(status))
    fields.nothing_left()
    found.check()
    return found


class _Fields:
    """An object's members, taken one by one; what is left at the end is a mistake."""

    def __init__(self, given: object, where: str) -> None:
        if not isinstance(given, Mapping):
            raise BadInput(f"{where}: an object with named members is needed")
        self._left: dict[str, Any] = {str(name): value for name, value in given.items() if value is not None}
        self._where = where

    def has(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> object:
        if name not in self._left:
            raise BadInput(f"{self._where}: {name} is missing")
        return self._left.pop(name)

    def text(self, name: str) -> str:
        value = self.take(name)
        if not isinstance(value, str) or not value.strip() or len(value) > 500 or "\x00" in value:
            raise BadInput(f"{self._where}: {name} is a text of 1 to 500 characters")
        return value.strip()

    def texts(self, name: str) -> list[str]:
        value = self.take(name)
        if (
            not isinstance(value, list)
            or len(value) > MAX_PARTS
            or not all(isinstance(one, str) and one for one in value)
        ):
            raise BadInput(f"{self._where}: {name} is a list of at most {MAX_PARTS} texts")
        return list(value)

    def day(self, name: str) -> date:
        value = self.text(name)
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise BadInput(f"{self._where}: {name} {value[:40]!r} is no day; write 2026-03-02") from None

    def whole(self, name: str) -> int | None:
        if not self.has(name):
            return None
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise BadInput(f"{self._where}: {name} is a whole number from 0 on")
        return value

    def nothing_left(self) -> None:
        if self._left:
            raise BadInput(f"{self._where}: {min(self._left)} is not known here")
