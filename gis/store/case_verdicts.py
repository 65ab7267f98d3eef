"""What the cases at a building make of it on maps: one word, the same in vector tiles and in the 3D city."""

from __future__ import annotations

from gis.construction.inspections import CaseStatus

_RANKS = {
    CaseStatus.FLAGGED: 1,
    CaseStatus.ASSIGNED: 1,
    CaseStatus.CONFIRMED: 2,
    CaseStatus.RESOLVED: 3,
}
VERDICTS = (str(CaseStatus.FLAGGED), str(CaseStatus.CONFIRMED), str(CaseStatus.RESOLVED))
"""Words by rank, from 1: of several cases one that is still to be looked at counts first. A dismissed case is none."""
NONE = "none"
"""Where no case is, for who would see it."""

_WHENS = " ".join(f"WHEN '{status}' THEN {rank}" for status, rank in _RANKS.items())
RANK = f"CASE d.status {_WHENS} END"
"""SQL of a case `d`: its rank; NULL of a dismissed one."""
STANDING = "d.status <> 'dismissed'"
"""SQL of a case `d`: whether it says anything of its building."""


def verdict_sql(rank: str) -> str:
    """SQL of the word for a rank."""
    listed = ", ".join(f"'{word}'" for word in VERDICTS)
    return f"(ARRAY[{listed}])[{rank}]"


def kinds_sql() -> str:
    """SQL of an aggregate over cases `d`: the kinds of those that make the verdict, parted by commas."""
    ranked = (
        f"string_agg(DISTINCT d.kind, ',' ORDER BY d.kind) FILTER (WHERE {RANK} = {rank})"
        for rank in range(1, len(VERDICTS) + 1)
    )
    return f"COALESCE({', '.join(ranked)})"
