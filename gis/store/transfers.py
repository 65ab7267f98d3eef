"""Rights go over from some to others, are mortgaged and freed: each in one transaction. For the writer's login.

The register of rights is locked first and read then: of two that sell the same share the second finds it sold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from sqlalchemy import Connection, func, select

from gis.errors import Conflict, NotFound
from gis.land.right_types import MORTGAGE, TRANSFER_BAN
from gis.land.rights import RRR, Mortgage
from gis.land.transfer_document import Discharge, NewMortgage, TransferDocument
from gis.land.transfers import Change, Transfer, TransferKind
from gis.store import groups, introductions, rights, sources, versions
from gis.store.schema import ba_unit, rrr
from gis.store.versions import Saved, since


@dataclass(frozen=True, slots=True)
class Done:
    """What a transfer changed."""

    changes: tuple[Change, ...]
    discharged: tuple[str, ...]
    saved: Saved
    mortgage: RRR | None = None
    """The one that began."""


def carry_out(connection: Connection, document: TransferDocument) -> Done:
    """Record what a document tells: its new parties, its paper, and the transfer, mortgage or discharge.

    Raises:
        BadInput: no state of the register could allow it, or a party that is told in full is known as another.
        NotFound: the unit, a party, a mortgage or the paper is not known.
        Conflict: the register does not allow it now.
    """
    introductions.introduce(connection, document.parties, document.what.day)
    if document.source is not None:
        sources.save(connection, [document.source])
    what = document.what
    if isinstance(what, Transfer):
        return transfer(connection, what)
    if isinstance(what, Discharge):
        return Done((), what.mortgages, discharge(connection, what.mortgages, what.day))
    made, saved = _mortgage(connection, what)
    return Done((), (), saved, made)


def transfer(connection: Connection, what: Transfer) -> Done:
    """Record a transfer: rights end and begin on its day.

    Raises:
        BadInput: no state of the register could allow it.
        NotFound: the unit, a party or the paper is not known.
        Conflict: a giver does not hold what it gives, or its right is mortgaged or may not be transferred.
    """
    what.check()
    held = _opened(connection, what.unit, [part.party for part in (*what.givers, *what.takers)], what.source)
    of_type = [right for right in held if right.type == what.type]
    circle: set[str] = set()
    if what.kind is TransferKind.DIVISION:
        found = groups.of_parties(connection, [part.party for part in what.givers], what.day)
        circle = {member.party for group in found.values() for member in group.members}
    changes = what.applied(of_type, frozenset(circle))
    _check_free(what, held)
    new = [_after(what, change, of_type) for change in changes if change.share]
    gone = [
        ((rights.identity(what.unit, change.party, what.type),), since(change.start, change.end))
        for change in changes
        if not change.share
    ]
    ended = [((one,), since(what.day)) for one in what.discharged]
    saved = rights.write(connection, new, [*gone, *ended])
    return Done(changes, what.discharged, saved)


def mortgage(connection: Connection, what: NewMortgage) -> RRR:
    """Record a mortgage of a party's right, from a day on; its rank is the next free one if none is told.

    Raises:
        BadInput: the mortgage cannot be.
        NotFound: the unit, a party or the paper is not known.
        Conflict: the debtor does not hold the right as long as the mortgage lasts, or the rank is taken.
    """
    return _mortgage(connection, what)[0]


def _mortgage(connection: Connection, what: NewMortgage) -> tuple[RRR, Saved]:
    where, day, until = f"mortgage on {what.unit}", what.day, what.until
    held = _opened(connection, what.unit, [what.debtor, what.creditor], what.source)
    target = rights.identity(what.unit, what.debtor, what.type)
    if not any(right.id == target and _on(right, day) for right in held):
        raise Conflict(f"{where}: {what.debtor} holds no {what.type} on {day}")
    loans = [(right, right.mortgage) for right in held if right.mortgage and _meets(right, day, until)]
    taken = {loan.rank for _, loan in loans if loan.encumbers == target}
    if what.rank in taken:
        raise Conflict(f"{where}: the rank {what.rank} is taken")
    rank = next(one for one in range(1, len(taken) + 2) if one not in taken) if what.rank is None else what.rank
    uid = rights.identity(what.unit, what.creditor, MORTGAGE, target, what.source or str(rank))
    if any(right.id == uid for right, _ in loans):
        raise Conflict(f"{where}: the register has it already ({uid})")
    loan = Mortgage(target, rank, what.amount_vnd)
    new = RRR(what.unit, what.creditor, MORTGAGE, Fraction(1), day, until, what.source, loan, uid)
    return new, rights.write(connection, [new])


def discharge(connection: Connection, mortgages: Sequence[str], day: date) -> Saved:
    """End mortgages on a day.

    Raises:
        NotFound: one is not known.
        Conflict: one is not in force on that day.
    """
    versions.lock(connection, rrr)
    for one in mortgages:
        c = rrr.c
        found = connection.execute(
            select(c.valid).where(c.id == one, c.encumbers.is_not(None), func.upper_inf(c.recorded))
        ).all()
        if not found:
            raise NotFound("mortgage", one)
        if not any(
            (row.valid.lower is None or row.valid.lower <= day) and (row.valid.upper is None or day < row.valid.upper)
            for row in found
        ):
            raise Conflict(f"mortgage {one}: it is not in force on {day}")
    return rights.write(connection, [], [((one,), since(day)) for one in mortgages])


def _opened(connection: Connection, unit: str, named: Sequence[str], source: str | None) -> list[RRR]:
    """Everything known of the unit's rights, locked until the transaction ends; all that is named is known."""
    versions.lock(connection, rrr)
    if connection.scalar(select(ba_unit.c.uid).where(ba_unit.c.uid == unit)) is None:
        raise NotFound("unit", unit)
    introductions.require(connection, named)
    if source is not None:
        sources.require(connection, source)
    return rights.of_all_days(connection, unit)


def _check_free(what: Transfer, held: Sequence[RRR]) -> None:
    """Refuse what a mortgage or a ban forbids (Civil Code 2015, art. 320; Land Law 2024, art. 45?)."""
    loans = {right.id: right for right in held if right.mortgage is not None and _meets(right, what.day, None)}
    unknown = [one for one in what.discharged if one not in loans]
    if unknown:
        raise NotFound("mortgage in force", unknown[0])
    for right in held:
        if right.type == TRANSFER_BAN and _meets(right, what.day, None):
            period = f"from {right.start} {f'to {right.end}' if right.end else 'on'}"
            raise Conflict(f"{what.kind} of {what.unit}: transfers are banned {period}")
    givers = {rights.identity(what.unit, part.party, what.type) for part in what.givers}
    for one, right in loans.items():
        if right.mortgage is not None and right.mortgage.encumbers in givers and one not in what.discharged:
            raise Conflict(
                f"{what.kind} of {what.unit}: the right is mortgaged to {right.party} ({one}); "
                "name it under `discharged`"
            )


def _after(what: Transfer, change: Change, held: Sequence[RRR]) -> RRR:
    """What a party holds after the change: by the new paper where it gained, else by the paper it had."""
    before = next((right for right in held if right.party == change.party and _on(right, change.start)), None)
    if before is not None and (not change.gained or change.start > what.day):
        return replace(before, share=change.share, start=change.start, end=change.end)
    return RRR(what.unit, change.party, what.type, change.share, change.start, change.end, what.source)


def _on(right: RRR, day: date) -> bool:
    return (right.start is None or right.start <= day) and (right.end is None or day < right.end)


def _meets(right: RRR, start: date, end: date | None) -> bool:
    return (right.end is None or start < right.end) and (end is None or right.start is None or right.start < end)
