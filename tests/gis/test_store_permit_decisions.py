"""Consultations and decisions: silence, permits written with their limits, and what becomes of them later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date

import pytest
import shapely
from shapely import Polygon
from sqlalchemy import Connection

from gis.access.roles import Role
from gis.construction.dossier import Action, DossierType, Status
from gis.construction.procedure import Procedure
from gis.errors import BadGeometry, BadInput, BadParameter, Conflict, NotFound
from gis.store import consultations, dossiers, permit_decisions, permits
from gis.store.database import Database
from gis.store.dossiers import Receipt
from gis.store.permit_decisions import Grant, Limits
from tests.gis.dossier_samples import CLERK, FILED, file, limits, parcel, record
from tests.gis.store_samples import lot

DAY = date(2025, 3, 17)
AGENCY = "Sở Quy hoạch - Kiến trúc"


def consulting(connection: Connection, on: date = FILED) -> Receipt:
    receipt = file(connection, on=on)
    record(connection, receipt, Action.EXAMINED, on=on)
    consultations.consult(connection, receipt.receipt_no, AGENCY, on=on, actor=CLERK)
    return receipt


def end(connection: Connection, receipt: Receipt, on: date) -> None:
    consultations.end_consultation(connection, receipt.receipt_no, on=on, actor=CLERK)


def granted(connection: Connection, **more: object) -> Receipt:
    uid = parcel(connection)
    receipt = file(connection, parcel_uid=uid)
    record(connection, receipt, Action.EXAMINED)
    grant = Grant(**{"limits": limits(), "expires": date(2026, 3, 17), "use": "house", **more})  # type: ignore[arg-type]
    permit_decisions.grant(connection, receipt.receipt_no, grant, on=DAY, actor=CLERK)
    return receipt


def test_silence_for_twelve_days_is_consent_under_the_old_law(writer: Connection) -> None:
    receipt = consulting(writer)
    # 3 + 12 = 15 March, at the end of the day.
    with pytest.raises(Conflict, match=f"{AGENCY} may answer until the end of 2025-03-15"):
        end(writer, receipt, date(2025, 3, 15))
    end(writer, receipt, date(2025, 3, 16))
    found = dossiers.find(writer, receipt.receipt_no)
    (asked,) = found.consultations
    assert (found.status, asked.is_deemed, asked.agrees, asked.replied) == (Status.CONSULTED, True, True, None)
    assert found.events[-1].facts["silent"] == [{"agency": AGENCY, "number": 1, "silence_is_consent": True}]


def test_silence_is_no_consent_under_a_law_that_does_not_say_so(writer: Connection) -> None:
    receipt = consulting(writer, date(2026, 7, 1))
    # 2=1, 3=2.
    with pytest.raises(Conflict, match="until the end of 2026-07-03"):
        end(writer, receipt, date(2026, 7, 3))
    end(writer, receipt, date(2026, 7, 4))
    (asked,) = dossiers.find(writer, receipt.receipt_no).consultations
    assert (asked.is_deemed, asked.agrees) == (True, None)


def test_an_answer_counts_up_to_the_last_day_and_not_after(writer: Connection) -> None:
    in_time, late = consulting(writer), consulting(writer)
    found = consultations.answer(writer, in_time.receipt_no, AGENCY, False, on=date(2025, 3, 15), actor=CLERK)
    (asked,) = found.consultations
    assert (asked.agrees, asked.replied, asked.is_open) == (False, date(2025, 3, 15), False)
    end(writer, in_time, date(2025, 3, 15))
    with pytest.raises(Conflict, match="its silence was its consent"):
        consultations.answer(writer, late.receipt_no, AGENCY, False, on=date(2025, 3, 16), actor=CLERK)
    with pytest.raises(NotFound, match="open consultation of Sở"):
        consultations.answer(writer, in_time.receipt_no, AGENCY, True, on=date(2025, 3, 15), actor=CLERK)


def test_several_agencies_are_waited_for(writer: Connection) -> None:
    receipt = consulting(writer)
    with pytest.raises(Conflict, match="being asked already"):
        consultations.consult(writer, receipt.receipt_no, AGENCY, on=FILED, actor=CLERK)
    consultations.consult(writer, receipt.receipt_no, "PCCC", on=date(2025, 3, 10), actor=CLERK)
    consultations.answer(writer, receipt.receipt_no, AGENCY, True, on=date(2025, 3, 10), actor=CLERK)
    with pytest.raises(Conflict, match="PCCC may answer until the end of 2025-03-22"):
        end(writer, receipt, date(2025, 3, 16))
    with pytest.raises(Conflict, match="is consulting: it cannot be granted"):
        permit_decisions.grant(writer, receipt.receipt_no, Grant(limits()), on=date(2025, 3, 16), actor=CLERK)


def test_an_extension_dossier_knows_no_consultation(writer: Connection) -> None:
    number = dossiers.find(writer, granted(writer).receipt_no).permit_no
    receipt = file(writer, Procedure.EXTENSION, of_permit=number)
    record(writer, receipt, Action.EXAMINED)
    with pytest.raises(Conflict, match="knows no consultation"):
        consultations.consult(writer, receipt.receipt_no, AGENCY, on=FILED, actor=CLERK)


def test_the_clock_is_extended_by_what_the_law_has_and_no_more(writer: Connection) -> None:
    receipt = file(writer)

    def extend(days: int, on: date) -> date:
        found = dossiers.extend_clock(writer, receipt.receipt_no, days, on=on, actor=CLERK, reason="phức tạp")
        return dossiers.clock_of(found, on).due

    assert extend(6, date(2025, 3, 18)) == date(2025, 3, 24)
    assert extend(4, date(2025, 3, 20)) == date(2025, 3, 28)
    with pytest.raises(BadParameter, match="at most 10 days"):
        extend(1, date(2025, 3, 20))
    with pytest.raises(BadParameter, match="at least one day"):
        extend(0, date(2025, 3, 20))
    late, new = file(writer), file(writer, on=date(2026, 7, 1))
    with pytest.raises(BadParameter, match="was due on 2025-03-18"):
        dossiers.extend_clock(writer, late.receipt_no, 1, on=date(2025, 3, 19), actor=CLERK, reason="x")
    with pytest.raises(BadParameter, match="at most 0 days"):
        dossiers.extend_clock(writer, new.receipt_no, 1, on=date(2026, 7, 2), actor=CLERK, reason="x")


def test_granting_writes_the_permit_with_its_limits(writer: Connection) -> None:
    receipt = granted(writer)
    found = dossiers.find(writer, receipt.receipt_no)
    assert (found.status, found.permit_no) == (Status.GRANTED, f"GPXD-{receipt.receipt_no}")
    register = permits.current(writer).set_index("permit_no").loc[found.permit_no]
    assert register.geom.equals(lot(1))
    kept = {name: register[name] for name in ("type", "status", "parcel_uid", "use", "floors", "basements", "height_m")}
    assert kept == {
        "type": "new",
        "status": "valid",
        "parcel_uid": "p-1",
        "use": "house",
        "floors": 3,
        "basements": 0,
        "height_m": 11.6,
    }
    assert (register.setback_front_m, register.setback_rear_m, register.ground_level_m) == (0.0, 2.0, 0.3)
    assert (str(register.issued)[:10], str(register.expires)[:10]) == ("2025-03-17", "2026-03-17")


def test_a_grant_that_cannot_be_writes_neither_event_nor_permit(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        receipt, other = file(connection), file(connection)
        record(connection, receipt, Action.EXAMINED)
    bow = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])

    def attempt(error: type[Exception], why: str, grant: Grant, number: str = receipt.receipt_no) -> None:
        with pytest.raises(error, match=why), database.open(Role.WRITER) as connection:
            permit_decisions.grant(connection, number, grant, on=DAY, actor=CLERK)

    attempt(BadParameter, "footprint, floors and height", Grant())
    attempt(BadParameter, "footprint, floors and height", Grant(Limits(lot(1), floors=3)))
    attempt(BadGeometry, "Self-intersection", Grant(Limits(bow, floors=3, height_m=11.6)))
    attempt(BadParameter, "height_m=-1", Grant(Limits(lot(1), floors=3, height_m=-1)))
    attempt(BadParameter, "height_m=nan", Grant(Limits(lot(1), floors=3, height_m=float("nan"))))
    attempt(BadParameter, "ends after the day", Grant(limits(), expires=DAY))
    attempt(BadInput, "control characters", Grant(limits(), permit_no="a\x00"))
    attempt(Conflict, "is filed: it cannot be granted", Grant(limits()), other.receipt_no)
    attempt(NotFound, "no dossier 760-2025-000099", Grant(limits()), "760-2025-000099")
    with database.open(Role.WRITER) as connection:
        assert dossiers.find(connection, receipt.receipt_no).status is Status.EXAMINED
        assert len(permits.current(connection)) == 0
        permit_decisions.grant(connection, receipt.receipt_no, Grant(limits(), "GP-1"), on=DAY, actor=CLERK)
        record(connection, other, Action.EXAMINED)
    attempt(Conflict, "permit GP-1 is known already", Grant(limits(), "GP-1"), other.receipt_no)
    with database.open(Role.WRITER) as connection:
        assert dossiers.find(connection, other.receipt_no).status is Status.EXAMINED
        assert dossiers.verified(connection, receipt.receipt_no) is None


def test_of_six_grants_of_one_number_at_once_one_is_written(database: Database) -> None:
    with database.open(Role.WRITER) as connection:
        receipts = [file(connection).receipt_no for _ in range(6)]
        for receipt_no in receipts:
            dossiers.record(connection, receipt_no, Action.EXAMINED, on=FILED, actor=CLERK)
    start, done = threading.Barrier(6), []

    def work(receipt_no: str) -> None:
        start.wait()
        try:
            with database.open(Role.WRITER) as connection:
                grant = Grant(limits(), permit_no="GP-1")
                permit_decisions.grant(connection, receipt_no, grant, on=DAY, actor=CLERK)
            done.append("granted")
        except Conflict as error:
            done.append(str(error))

    threads = [threading.Thread(target=work, args=(receipt_no,)) for receipt_no in receipts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["granted", *["permit GP-1 is known already"] * 5]
    with database.open(Role.WRITER) as connection:
        statuses = [dossiers.find(connection, receipt_no).status for receipt_no in receipts]
        assert sorted(statuses) == [*[Status.EXAMINED] * 5, Status.GRANTED]
        assert list(permits.current(connection)["version"]) == [1]


def test_a_temporary_permit_ends_within_five_years(writer: Connection) -> None:
    def attempt(expires: date | None, on: date = DAY) -> None:
        receipt = file(writer, kind=DossierType.TEMPORARY)
        record(writer, receipt, Action.EXAMINED)
        permit_decisions.grant(writer, receipt.receipt_no, Grant(limits(), expires=expires), on=on, actor=CLERK)

    attempt(date(2030, 3, 17))
    for expires in (None, date(2030, 3, 18)):
        with pytest.raises(BadParameter, match="by 2030-03-17"):
            attempt(expires)
    with pytest.raises(BadParameter, match="by 2033-02-28"):
        attempt(date(2033, 3, 1), on=date(2028, 2, 29))


def test_an_extension_makes_no_temporary_permit_longer_than_five_years(writer: Connection) -> None:
    first = file(writer, kind=DossierType.TEMPORARY)
    record(writer, first, Action.EXAMINED)
    grant = Grant(limits(), expires=date(2028, 3, 17))
    permit_decisions.grant(writer, first.receipt_no, grant, on=DAY, actor=CLERK)
    with pytest.raises(BadParameter, match="by 2030-03-17"), writer.begin_nested():
        later(writer, Procedure.EXTENSION, first, Grant(expires=date(2030, 3, 18)))
    later(writer, Procedure.EXTENSION, first, Grant(expires=date(2030, 3, 17)))
    assert [str(day)[:10] for day in permits.current(writer)["expires"]] == ["2030-03-17"]


def test_a_demolition_notice_needs_no_limits(writer: Connection) -> None:
    receipt = file(writer, kind=DossierType.DEMOLITION_NOTICE)
    record(writer, receipt, Action.EXAMINED)
    found = permit_decisions.grant(writer, receipt.receipt_no, Grant(), on=DAY, actor=CLERK)
    register = permits.current(writer).set_index("permit_no").loc[found.permit_no]
    assert (register["type"], register.geom) == ("demolition_notice", None)


def later(connection: Connection, procedure: Procedure, of: Receipt, grant: Grant) -> Receipt:
    number = dossiers.find(connection, of.receipt_no).permit_no
    receipt = file(connection, procedure, of_permit=number, on=date(2026, 7, 1))
    record(connection, receipt, Action.EXAMINED, on=date(2026, 7, 2))
    permit_decisions.grant(connection, receipt.receipt_no, grant, on=date(2026, 7, 3), actor=CLERK)
    return receipt


def test_an_extension_keeps_the_limits_and_moves_the_end(writer: Connection) -> None:
    first = granted(writer)
    number = dossiers.find(writer, first.receipt_no).permit_no
    before = permits.current(writer).set_index("permit_no").loc[number]
    with pytest.raises(BadParameter, match="say until when; it ends 2026-03-17"), writer.begin_nested():
        later(writer, Procedure.EXTENSION, first, Grant())
    second = later(writer, Procedure.EXTENSION, first, Grant(expires=date(2027, 3, 17)))
    after = permits.current(writer).set_index("permit_no").loc[number]
    assert str(after.expires)[:10] == "2027-03-17"
    assert shapely.equals_exact(after.geom, before.geom)
    same = ["type", "status", "issued", "parcel_uid", "use", "floors", "height_m", "ground_area_m2", "ground_level_m"]
    assert after[same].equals(before[same])
    told = dossiers.find(writer, first.receipt_no).events[-1]
    assert (told.action, told.facts["dossier"]) == (Action.EXTENDED, second.receipt_no)


def test_an_adjustment_changes_the_limits_of_the_same_permit(writer: Connection) -> None:
    first = granted(writer)
    later(writer, Procedure.ADJUSTMENT, first, Grant(limits(floors=4)))
    register = permits.current(writer)
    assert list(register["floors"]) == [4]
    assert [e.action for e in dossiers.find(writer, first.receipt_no).events][-1] is Action.ADJUSTED


def test_a_reissue_supersedes_the_permit_by_one_with_the_same_limits(writer: Connection) -> None:
    first = granted(writer)
    old = dossiers.find(writer, first.receipt_no).permit_no
    later(writer, Procedure.REISSUE, first, Grant(permit_no="GP-NEW"))
    register = permits.current(writer).set_index("permit_no")
    assert (register.loc[old, "status"], register.loc[old, "superseded_by"]) == ("superseded", "GP-NEW")
    assert (register.loc["GP-NEW", "status"], register.loc["GP-NEW", "floors"]) == ("valid", 3)
    assert register.loc["GP-NEW"].geom.equals(register.loc[old].geom)
    assert dossiers.find(writer, first.receipt_no).permit_no == "GP-NEW"
    # What comes later is about the new permit, and told to the same first dossier.
    later(writer, Procedure.EXTENSION, first, Grant(expires=date(2028, 1, 1)))
    actions = [event.action for event in dossiers.find(writer, first.receipt_no).events]
    assert actions == [Action.FILED, Action.EXAMINED, Action.GRANTED, Action.REISSUED, Action.EXTENDED]
    stale = file(writer, Procedure.REISSUE, of_permit=old, on=date(2026, 7, 1))
    record(writer, stale, Action.EXAMINED, on=date(2026, 7, 1))
    with pytest.raises(Conflict, match=f"permit {old} is superseded"):
        permit_decisions.grant(writer, stale.receipt_no, Grant(), on=date(2026, 7, 3), actor=CLERK)


def test_a_revoked_permit_is_not_in_force_and_keeps_its_limits(writer: Connection) -> None:
    first = granted(writer)
    record(writer, first, Action.ISSUED, on=DAY)
    found = permit_decisions.revoke(writer, first.receipt_no, "sai phép", on=DAY, actor=CLERK)
    register = permits.current(writer).set_index("permit_no").loc[found.permit_no]
    assert (found.status, register.status, register.floors) == (Status.REVOKED, "revoked", 3)
    with pytest.raises(Conflict, match="nothing any more"):
        permit_decisions.revoke(writer, first.receipt_no, "sai phép", on=DAY, actor=CLERK)


def test_a_refusal_says_why_and_ends_the_dossier(writer: Connection) -> None:
    receipt = file(writer)
    record(writer, receipt, Action.EXAMINED)
    with pytest.raises(BadParameter, match="reason"):
        permit_decisions.refuse(writer, receipt.receipt_no, " ", on=DAY, actor=CLERK)
    found = permit_decisions.refuse(writer, receipt.receipt_no, "ngoài quy hoạch", on=DAY, actor=CLERK)
    assert (found.status, found.events[-1].facts) == (Status.REFUSED, {"reason": "ngoài quy hoạch"})


@pytest.mark.parametrize(
    "decide",
    [
        lambda c, r: permit_decisions.grant(c, r, Grant(limits()), on=DAY, actor=CLERK),
        lambda c, r: permit_decisions.refuse(c, r, "x", on=DAY, actor=CLERK),
        lambda c, r: permit_decisions.revoke(c, r, "x", on=DAY, actor=CLERK),
        lambda c, r: consultations.consult(c, r, AGENCY, on=DAY, actor=CLERK),
        lambda c, r: dossiers.extend_clock(c, r, 1, on=date(2025, 3, 4), actor=CLERK, reason="x"),
    ],
    ids=["grant", "refuse", "revoke", "consult", "extend"],
)
def test_nothing_happens_to_a_dossier_that_was_withdrawn(
    writer: Connection, decide: Callable[[Connection, str], object]
) -> None:
    receipt = file(writer)
    record(writer, receipt, Action.WITHDRAWN)
    with pytest.raises(Conflict, match=r"is withdrawn: .* nothing any more"):
        decide(writer, receipt.receipt_no)
