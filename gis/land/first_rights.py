"""First registration: who holds a unit's parcels from a day on, where the register knew no rights before.

The JSON document of it:

    {"parcels": ["p-000042"], "day": "2026-01-05",
     "rights": [{"type": "land_use_right", "share": "1/2",
                 "party": {"uid": "o-000061", "kind": "person", "name": "…", "id_no": "…"}},
                {"type": "land_use_right", "share": "1/2", "party": "o-000062"}],
     "source": {"uid": "qd-7-2026", "kind": "decision", "number": "7/2026", "date": "2026-01-02"},
     "certificate": {"serial": "DA 000001", "book_no": "CS 00001"}}

`unit` names the unit; that of a single parcel has the parcel's name if none is told. `until` is the first day on which
the rights do not hold any more, of what is told of the past.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

from gis.errors import BadInput
from gis.land.certificates import Certificate, CertificateStatus
from gis.land.document_fields import Fields, NewParty, party_of, read_json, source_of
from gis.land.right_types import MORTGAGE, RightClass, right_type
from gis.land.rights import RRR, BAUnit, check_shares, parse_share
from gis.land.sources import SourceDocument


@dataclass(frozen=True, slots=True)
class FirstRights:
    """The unit, its rights, the parties and the paper that come with them, and the certificate if one was given out."""

    unit: BAUnit
    rights: tuple[RRR, ...]
    day: date
    until: date | None
    parties: tuple[NewParty, ...]
    source: SourceDocument
    certificate: Certificate | None = None

    def check(self) -> None:
        """Refuse what no state of the register could allow.

        Raises:
            BadInput: a parcel or a holder occurs twice, a type is none of a first right, no right has shares that add
                up, the time is none, or the certificate does not fit the rights.
            SharesDoNotAddUp: those of a type do not add up to one.
        """
        where = f"unit {self.unit.uid}"
        twice = [one for one, count in Counter(self.unit.parcels).items() if count > 1]
        if twice:
            raise BadInput(f"{where}: parcel {twice[0]} is named twice")
        if self.until is not None and self.until <= self.day:
            raise BadInput(f"{where}: the rights end on {self.until}, before they have begun on {self.day}")
        for right in self.rights:
            if right.type == MORTGAGE or right_type(right.type).kind is not RightClass.RIGHT:
                raise BadInput(f"{where}: {right.type} is no first right; it comes after, on a right that stands")
            right.check()
        held = Counter((right.type, right.party) for right in self.rights)
        again = [f"{party} holds {kind} twice" for (kind, party), count in held.items() if count > 1]
        if again:
            raise BadInput(f"{where}: {again[0]}")
        kinds = dict.fromkeys(right.type for right in self.rights)
        if not any(right_type(kind).exclusive for kind in kinds):
            raise BadInput(
                f"{where}: say who holds all of it: none of {', '.join(kinds)} has shares that add up to one"
            )
        for kind in kinds:
            of_kind = [right for right in self.rights if right.type == kind]
            check_shares(self.unit.uid, kind, [(right.share, right.start, right.end) for right in of_kind])
        if self.certificate is not None:
            self._check_certificate(self.certificate)

    def _check_certificate(self, one: Certificate) -> None:
        one.check()
        if self.until is not None:
            raise BadInput(f"certificate {one.serial}: of rights that have ended record it, with its life, by itself")
        if one.start is not None and one.start < self.day:
            raise BadInput(f"certificate {one.serial}: it is issued on {one.start}, before the rights of {self.day}")
        if one.party is not None and one.party not in {right.party for right in self.rights}:
            raise BadInput(f"certificate {one.serial}: {one.party} holds none of the rights")


def read_first_rights(path: Path) -> FirstRights:
    """Read a document from a file.

    Raises:
        UnreadableFile: there is no such file, it is too large, or it is no JSON.
        BadInput: a part is missing, not known, or of another kind, or the rights cannot be.
    """
    return parse_first_rights(read_json(path))


def parse_first_rights(given: object) -> FirstRights:
    """Make values of a document.

    Raises:
        BadInput: a part is missing, not known, or of another kind (it is named), or the rights cannot be.
    """
    whole = Fields(given, "document")
    parcels = whole.texts("parcels")
    if not parcels:
        raise BadInput("document: parcels names at least one parcel")
    if not whole.has("unit") and len(parcels) > 1:
        raise BadInput("document: several parcels need a name for their unit: give unit")
    unit = BAUnit(whole.text("unit") if whole.has("unit") else parcels[0], tuple(parcels))
    day = whole.day("day")
    until = whole.day("until") if whole.has("until") else None
    source = source_of(whole.take("source"))
    parties: dict[str, NewParty] = {}
    rights = []
    for place, one in enumerate(whole.objects("rights"), start=1):
        fields = Fields(one, f"rights[{place}]")
        kind = fields.text("type")
        # Of a lease or an easement nobody has a share unless it is said.
        told = fields.has("share") or right_type(kind).exclusive
        share = parse_share(fields.text("share")) if told else Fraction(1)
        party = party_of(fields.take("party"), parties)
        fields.nothing_left()
        rights.append(RRR(unit.uid, party, kind, share, day, until, source.uid))
    certificate = _certificate(whole, unit.uid, day, source.uid) if whole.has("certificate") else None
    whole.nothing_left()
    found = FirstRights(unit, tuple(rights), day, until, tuple(parties.values()), source, certificate)
    found.check()
    return found


def _certificate(whole: Fields, unit: str, day: date, source: str) -> Certificate:
    """The certificate, issued on the day of the rights unless it says another."""
    fields = Fields(whole.take("certificate"), "certificate")
    serial = fields.text("serial")
    issued = fields.day("issued") if fields.has("issued") else day
    book_no, party = (fields.text(name) if fields.has(name) else None for name in ("book_no", "party"))
    fields.nothing_left()
    return Certificate(
        serial,
        unit,
        CertificateStatus.ISSUED,
        start=issued,
        book_no=book_no,
        party=party,
        issued=issued,
        source=source,
    )
