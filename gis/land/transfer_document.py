"""The JSON document of a transfer, a mortgage or a discharge, read at the door into values.

A transfer is shown in `gis.land.transfers`. A mortgage names `debtor`, `creditor` and, if it likes, `until`, `rank` and
`amount_vnd`; a discharge the `mortgages` that end, by id. A party not yet known is told with kind, name and id_no.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gis.errors import BadInput
from gis.land.document_fields import Fields, NewParty, party_of, read_json, source_of
from gis.land.rights import parse_share
from gis.land.sources import SourceDocument
from gis.land.transfers import Part, Transfer, TransferKind


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
    return parse_document(read_json(path))


def parse_document(given: object) -> TransferDocument:
    """Make values of a document.

    Raises:
        BadInput: a part is missing, not known, or of another kind; it is named.
    """
    whole = Fields(given, "document")
    kind = whole.text("kind")
    parties: dict[str, NewParty] = {}
    source = None
    if whole.has("source"):
        source = source_of(whole.take("source"))
    uid = source.uid if source is not None else None
    what: Transfer | NewMortgage | Discharge
    if kind == "mortgage":
        what = NewMortgage(
            unit=whole.text("unit"),
            type=whole.text("type"),
            debtor=party_of(whole.take("debtor"), parties),
            creditor=party_of(whole.take("creditor"), parties),
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
            givers=tuple(_parts(whole.objects("from"), "from", parties)),
            takers=tuple(_parts(whole.objects("to"), "to", parties)),
            source=uid,
            discharged=tuple(whole.texts("discharged")) if whole.has("discharged") else (),
        )
        what.check()
    else:
        raise BadInput(f"kind {kind[:40]!r}: there are {', '.join(TransferKind)}, mortgage and discharge")
    whole.nothing_left()
    return TransferDocument(what, tuple(parties.values()), source)


def _parts(given: list[object], side: str, parties: dict[str, NewParty]) -> Iterator[Part]:
    for place, one in enumerate(given, start=1):
        fields = Fields(one, f"{side}[{place}]")
        party = party_of(fields.take("party"), parties)
        share = fields.text("share")
        fields.nothing_left()
        yield Part(party, None if share == "all" else parse_share(share))
