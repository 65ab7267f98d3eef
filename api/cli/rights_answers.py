"""Rights, parties, papers and extracts as JSON documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gis.land.certificates import Certificate
from gis.land.extract import Extract
from gis.land.right_types import right_type
from gis.land.rights import RRR, Group, Party
from gis.land.sources import SourceDocument


def right_document(
    right: RRR, parties: Mapping[str, Party] | None = None, papers: Mapping[str, SourceDocument] | None = None
) -> dict[str, Any]:
    """A right, with its holder and its paper where they are given."""
    kind, loan = right_type(right.type), right.mortgage
    holder = (parties or {}).get(right.party)
    paper = (papers or {}).get(right.source or "")
    return {
        "id": right.id,
        "unit": right.unit,
        "type": right.type,
        "class": kind.kind.value,
        "share": str(right.share),
        "party": {"uid": right.party, "kind": holder.kind if holder else None, "name": holder.name if holder else None},
        "since": right.start,
        "to": right.end,
        "source": paper_document(paper) if paper else right.source,
        "mortgage": {"encumbers": loan.encumbers, "rank": loan.rank, "amount_vnd": loan.amount_vnd} if loan else None,
        "citation": {"source": kind.source, "article": kind.article, "doubt": kind.doubt or None},
    }


def paper_document(paper: SourceDocument) -> dict[str, Any]:
    """A source document."""
    return {
        "uid": paper.uid,
        "kind": paper.kind,
        "number": paper.number,
        "date": paper.date,
        "sha256": paper.sha256,
        "signature_status": paper.signature_status.value,
        "signed_by": paper.signed_by,
    }


def certificate_document(one: Certificate) -> dict[str, Any]:
    """A certificate in one status."""
    return {
        "serial": one.serial,
        "book_no": one.book_no,
        "unit": one.unit,
        "party": one.party,
        "issued": one.issued,
        "status": one.status.value,
        "since": one.start,
        "to": one.end,
        "replaced_by": one.replaced_by,
        "source": one.source,
    }


def group_document(group: Group, parties: Mapping[str, Party]) -> dict[str, Any]:
    """A group and its members."""
    return {
        "uid": group.uid,
        "members": [
            {
                "uid": member.party,
                "name": parties[member.party].name if member.party in parties else None,
                "share": None if member.share is None else str(member.share),
            }
            for member in group.members
        ],
    }


def extract_document(found: Extract) -> dict[str, Any]:
    """An extract of a parcel."""
    ground = found.ground
    return {
        "parcel": {
            "uid": ground.uid,
            "ward": ground.ward,
            "sheet_no": ground.sheet,
            "parcel_no": ground.number,
            "old_sheet_no": ground.old_sheet,
            "old_parcel_no": ground.old_number,
            "address": ground.address,
            "land_use": ground.land_use,
            "land_uses": [
                {"code": one.code, "area_m2": one.area, "term_end": one.term_end, "origin": one.origin}
                for one in ground.land_uses
            ],
            "area_legal_m2": ground.area_legal,
            "area_measured_m2": ground.area_measured,
            "position": {"x": ground.x, "y": ground.y, "crs": found.crs},
            "since": ground.start,
        },
        "as_of": found.as_of,
        "known_at": found.known_at,
        "units": [{"uid": unit.uid, "parcels": list(unit.parcels)} for unit in found.units],
        "rights": [right_document(right, found.parties, found.papers) for right in found.rights],
        "groups": [group_document(group, found.parties) for group in found.groups.values()],
        "identities": found.identities,
        "certificates": [certificate_document(one) for one in found.certificates],
        "restrictions": [
            {
                "uid": one.uid,
                "type": one.type,
                "authority": one.authority,
                "since": one.start,
                "area_m2": one.area_m2,
                "fraction": one.fraction,
                "source": one.source,
            }
            for one in found.restrictions
        ],
        "believed_then": {
            "changed_since": found.belief_changed,
            "rights": [right_document(right, found.parties, found.papers) for right in found.believed],
        },
    }
