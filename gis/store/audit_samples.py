"""Buildings drawn by lot, flagged or not, and what was seen of the unflagged ones: for rates that are honest."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, text

from gis.access.audit import now_acting
from gis.calendar import today
from gis.construction.audit_sample import Achieved, SampleName, Stratum, achieved, parts_of
from gis.construction.inspections import NUMBER_MOST, CaseStatus, Inspection, Outcome
from gis.errors import Conflict, NotFound
from gis.store.case_tables import audit_inspection, audit_sample, audit_sample_building


@dataclass(frozen=True, slots=True)
class Drawn:
    """A building of a sample."""

    building_uid: str
    is_flagged: bool
    """When the sample was drawn."""
    cases: tuple[str, ...]
    """Of the building in the survey, the surest first."""
    is_real: bool | None
    """Whether there is a difference, as inspections say; None while nobody knows."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample as it was drawn, and what is known of it now."""

    name: SampleName
    flagged: int
    """Buildings of the survey that were flagged when it was drawn."""
    unflagged: int
    buildings: tuple[Drawn, ...]
    """By their uid."""

    @property
    def strata(self) -> tuple[Stratum, Stratum]:
        """What was seen of the flagged, and of the unflagged."""
        return self._stratum(self.flagged, is_flagged=True), self._stratum(self.unflagged, is_flagged=False)

    @property
    def achieved(self) -> Achieved:
        """The rates of the whole survey."""
        return achieved(*self.strata)

    def _stratum(self, population: int, *, is_flagged: bool) -> Stratum:
        known = [one.is_real for one in self.buildings if one.is_flagged is is_flagged and one.is_real is not None]
        return Stratum(population, len(known), sum(known))


def draw(connection: Connection, name: SampleName) -> Sample:
    """The sample of that name; drawn now where it was not before, and then the same for ever.

    Half of it are buildings flagged in the survey, half are not, as far as there are so many.

    Raises:
        BadParameter: its size or its seed cannot be.
        NotFound: the survey has no buildings.
    """
    name.check()
    values = {"epoch": name.epoch, "size": name.size, "seed": name.seed}
    if connection.execute(text(_SAMPLE), values).first() is None:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('diaba.audit_sample', 0))"))
        if connection.execute(text(_SAMPLE), values).first() is None:
            _draw(connection, name)
    return sample(connection, name)


def sample(connection: Connection, name: SampleName) -> Sample:
    """A sample that was drawn.

    Raises:
        NotFound: it was not.
    """
    values = {"epoch": name.epoch, "size": name.size, "seed": name.seed}
    row = connection.execute(text(_SAMPLE), values).first()
    if row is None:
        raise NotFound("sample", f"of {name.size} buildings by seed {name.seed} in {name.epoch}; draw it with: list")
    buildings = tuple(
        Drawn(one.building_uid, one.is_flagged, tuple(one.cases), _is_real(one.statuses, one.outcomes))
        for one in connection.execute(text(_BUILDINGS), values)
    )
    return Sample(name, row.flagged, row.unflagged, buildings)


def inspect(connection: Connection, epoch: str, building_uid: str, seen: Inspection) -> int:
    """Record what somebody saw at a building that was not flagged.

    `confirmed` says that there is a difference which was missed, `within_limits` that there is none.

    Returns:
        The number of the inspection of this building.

    Raises:
        NotFound: the building is in no sample of the survey.
        BadParameter: a value cannot be.
    """
    facts = seen.check(today())
    c = audit_inspection.c
    member = select(audit_sample_building.c.building_uid).where(
        audit_sample_building.c.epoch == epoch, audit_sample_building.c.building_uid == building_uid
    )
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('diaba.audit_inspection', 0))"))
    if connection.scalar(member.limit(1)) is None:
        raise NotFound("building", f"{building_uid[:80]} in a sample of {epoch[:80]}")
    last = select(func.max(c.number)).where(c.epoch == epoch, c.building_uid == building_uid)
    number: int = 1 + (connection.scalar(last) or 0)
    if number > NUMBER_MOST:
        raise Conflict(f"building {building_uid}: at most {NUMBER_MOST} inspections are kept")
    row = {"inspected_on": facts.inspected_on, "outcome": facts.outcome.value, "note": facts.note}
    key = {"epoch": epoch, "building_uid": building_uid, "number": number}
    connection.execute(insert(audit_inspection).values(**key, **row, actor=now_acting().actor))
    return number


def _draw(connection: Connection, name: SampleName) -> None:
    values = {"epoch": name.epoch, "seed": str(name.seed)}
    flagged, unflagged = connection.execute(text(_COUNTS), values).one()
    if flagged + unflagged == 0:
        raise NotFound("building", f"of the survey {name.epoch}")
    key = {"epoch": name.epoch, "size": name.size, "seed": name.seed}
    connection.execute(
        insert(audit_sample).values(**key, flagged=flagged, unflagged=unflagged, actor=now_acting().actor)
    )
    for is_flagged, count in zip((True, False), parts_of(name.size, flagged, unflagged), strict=True):
        drawn = connection.scalars(text(_LOTS), values | {"is_flagged": is_flagged, "count": count}).all()
        if drawn:
            rows = [{**key, "building_uid": uid, "is_flagged": is_flagged} for uid in drawn]
            connection.execute(insert(audit_sample_building), rows)


def _is_real(statuses: list[str], outcomes: list[str]) -> bool | None:
    """A difference at a building is one that any inspection there says is; a missed one is seen without a case."""
    said = [CaseStatus(status).was_real for status in statuses]
    said += [{Outcome.CONFIRMED: True, Outcome.NOT_ACCESSIBLE: None}.get(Outcome(one), False) for one in outcomes]
    if True in said:
        return True
    # Not while a case is still to be looked at.
    return False if said and None not in said else None


_SAMPLE = "SELECT flagged, unflagged FROM diaba.audit_sample WHERE epoch = :epoch AND size = :size AND seed = :seed"
_MEASURED = (
    "SELECT b.uid, EXISTS (SELECT 1 FROM diaba.discrepancy d WHERE d.building_uid = b.uid AND d.epoch = :epoch "
    "AND upper_inf(d.recorded)) AS is_flagged FROM diaba.building_version b "
    "WHERE b.epoch = :epoch AND upper_inf(b.recorded)"
)
_COUNTS = (
    "SELECT count(*) FILTER (WHERE m.is_flagged) AS flagged, count(*) FILTER (WHERE NOT m.is_flagged) AS unflagged "  # noqa: S608
    f"FROM ({_MEASURED}) m"
)
# The lots of `gis.construction.audit_sample.ticket`.
_LOTS = (
    f"SELECT m.uid FROM ({_MEASURED}) m WHERE m.is_flagged = :is_flagged "  # noqa: S608  constants
    "ORDER BY sha256(convert_to(CAST(:seed AS text) || '|' || m.uid, 'UTF8')), m.uid LIMIT :count"
)
# Of a case the newest version, whether it is held for so or not; of the unflagged the newest inspection.
_BUILDINGS = (
    "SELECT s.building_uid, s.is_flagged, "
    "ARRAY(SELECT d.id FROM diaba.discrepancy d WHERE d.building_uid = s.building_uid AND d.epoch = s.epoch "
    "AND d.version = (SELECT max(n.version) FROM diaba.discrepancy n WHERE n.id = d.id) "
    "ORDER BY d.confidence DESC NULLS LAST, d.id) AS cases, "
    "ARRAY(SELECT d.status FROM diaba.discrepancy d WHERE d.building_uid = s.building_uid AND d.epoch = s.epoch "
    "AND d.version = (SELECT max(n.version) FROM diaba.discrepancy n WHERE n.id = d.id)) AS statuses, "
    "ARRAY(SELECT i.outcome FROM diaba.audit_inspection i WHERE i.epoch = s.epoch AND i.building_uid = s.building_uid "
    "ORDER BY i.number DESC LIMIT 1) AS outcomes "
    "FROM diaba.audit_sample_building s WHERE s.epoch = :epoch AND s.size = :size AND s.seed = :seed "
    "ORDER BY s.building_uid"
)
