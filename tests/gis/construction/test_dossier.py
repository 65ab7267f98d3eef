"""What may happen to a dossier after what, its pauses, and its chain: without a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.calendar import vietnam
from gis.construction.dossier import (
    EVENTS_MOST,
    OPEN,
    Action,
    ClockEffect,
    Dossier,
    DossierType,
    Status,
    after,
    clock,
    first_event,
    next_event,
    office_code,
    verify,
)
from gis.construction.procedure import Procedure, version_in_force
from gis.construction.procedure_tables import procedures
from gis.errors import BadParameter, Conflict

NOW = datetime(2025, 3, 3, 2, 0, tzinfo=UTC)
RECEIPT = "760-2025-000001"

# Drawn by hand from the order of the procedure: every step that may follow a status, and no other.
DRAWN = {
    "filed": "examined withdrawn clock_extended",
    "examined": "supplement_requested consultation_sent granted refused withdrawn clock_extended",
    "supplement_requested": "supplemented refused withdrawn clock_extended",
    "supplemented": "supplement_requested consultation_sent granted refused withdrawn clock_extended",
    "consulting": "consultation_sent consultation_answered consulted withdrawn clock_extended",
    "consulted": "supplement_requested consultation_sent granted refused withdrawn clock_extended",
    "granted": "issued adjusted extended reissued revoked",
    "issued": "adjusted extended reissued revoked",
    "refused": "",
    "revoked": "",
    "withdrawn": "",
}


def filed(on: date = date(2025, 3, 3), procedure: Procedure = Procedure.SINGLE_HOUSE) -> Dossier:
    event = first_event(RECEIPT, on=on, at=NOW, actor="a", facts={})
    law = version_in_force(procedures(), procedure, on).law.name
    return Dossier(RECEIPT, "760", procedure, law, DossierType.NEW, on, None, None, Status.FILED, (event,), ())


def then(dossier: Dossier, action: Action, on: date, days: int | None = None) -> Dossier:
    event = next_event(dossier, action, on=on, at=NOW, actor="a", clock_days=days)
    return replace(dossier, status=event.status, events=(*dossier.events, event))


def due(dossier: Dossier, today: date) -> date:
    version = version_in_force(procedures(), dossier.procedure, dossier.filed_on)
    return clock(dossier, version, vietnam(), today).due


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("action", list(Action))
def test_only_what_is_drawn_may_follow(status: Status, action: Action) -> None:
    if str(action) not in DRAWN[status].split():
        with pytest.raises(Conflict, match=f"{RECEIPT} is {status}: it cannot be {action}"):
            after(status, action, RECEIPT)
        return
    stays = {"clock_extended", "consultation_answered", "adjusted", "extended", "reissued"}
    expected = status if action in stays else "consulting" if action == "consultation_sent" else action
    assert after(status, action, RECEIPT) == expected


def test_the_clock_stands_from_the_notice_to_the_supplement() -> None:
    asked = then(then(filed(), Action.EXAMINED, date(2025, 3, 7)), Action.SUPPLEMENT_REQUESTED, date(2025, 3, 10))
    # While it stands, the due date moves on with the days: 18 March + 1, + 5.
    assert due(asked, date(2025, 3, 10)) == date(2025, 3, 19)
    assert due(asked, date(2025, 3, 14)) == date(2025, 3, 23)
    came = then(asked, Action.SUPPLEMENTED, date(2025, 3, 14))
    assert due(came, date(2025, 6, 1)) == date(2025, 3, 23)
    # Asked again on the day it came: the day is lost once. 23 + (15, 16, 17 March).
    again = then(then(came, Action.SUPPLEMENT_REQUESTED, date(2025, 3, 14)), Action.SUPPLEMENTED, date(2025, 3, 17))
    assert due(again, date(2025, 6, 1)) == date(2025, 3, 26)
    steps = clock(again, version_in_force(procedures(), again.procedure, again.filed_on), vietnam(), NOW.date()).steps
    notices = {entry.step.name: entry.start for entry in steps if entry.step.name.startswith("supplement")}
    assert notices == {
        "supplement_notice": date(2025, 3, 14),
        "supplement_notice_again": date(2025, 3, 17),
    }


def test_an_extension_moves_the_due_date_by_its_days() -> None:
    longer = then(
        then(filed(), Action.CLOCK_EXTENDED, date(2025, 3, 10), 4), Action.CLOCK_EXTENDED, date(2025, 3, 11), 6
    )
    assert due(longer, date(2025, 3, 11)) == date(2025, 3, 28)


def test_an_event_before_the_last_one_is_refused() -> None:
    with pytest.raises(BadParameter, match="the event before it, filed, was on 2025-03-03"):
        then(filed(), Action.EXAMINED, date(2025, 3, 2))


def test_a_dossier_has_an_end() -> None:
    dossier = then(filed(), Action.EXAMINED, date(2025, 3, 3))
    while len(dossier.events) < EVENTS_MOST:
        dossier = then(dossier, Action.SUPPLEMENT_REQUESTED, date(2025, 3, 3))
        dossier = then(dossier, Action.SUPPLEMENTED, date(2025, 3, 3))
    with pytest.raises(Conflict, match=f"{EVENTS_MOST} events already"):
        then(dossier, Action.SUPPLEMENT_REQUESTED, date(2025, 3, 3))
    # It can still be decided, and its clock still runs.
    assert then(dossier, Action.REFUSED, date(2025, 3, 3)).status is Status.REFUSED
    assert due(dossier, date(2025, 3, 3)) == date(2025, 3, 18)


@pytest.mark.parametrize("actor", ["", " ", "a\nb", "x" * 201, "a\x00"])
def test_who_acts_has_a_plain_name(actor: str) -> None:
    with pytest.raises(BadParameter, match="actor"):
        first_event(RECEIPT, on=date(2025, 3, 3), at=NOW, actor=actor, facts={})


@pytest.mark.parametrize(("given", "code"), [("760", "760"), (" tb ", "TB"), ("A" * 16, "A" * 16)])
def test_codes_of_offices_are_normalised(given: str, code: str) -> None:
    assert office_code(given) == code


@settings(max_examples=60)
@given(data=st.data(), steps=st.integers(1, 25))
def test_no_walk_through_the_states_breaks_the_chain_and_any_change_does(data: st.DataObject, steps: int) -> None:
    dossier = filed()
    for _ in range(steps):
        allowed = DRAWN[dossier.status].split()
        if not allowed:
            break
        action = Action(data.draw(st.sampled_from(allowed)))
        dossier = then(dossier, action, date(2025, 3, 3), 1 if action is Action.CLOCK_EXTENDED else None)
    events, head = dossier.events, dossier.events[-1].hash
    assert verify(RECEIPT, events, len(events), head) is None
    ends = [event for event in events if event.clock_effect is ClockEffect.ENDS]
    assert bool(ends) is (dossier.status not in OPEN)
    place = data.draw(st.integers(0, len(events) - 1))
    changed = data.draw(
        st.sampled_from(
            [
                {"actor": "b"},
                {"happened_on": date(2025, 3, 4)},
                {"detail": '{"a":1}'},
                {"permit_no": "x"},
                {"clock_days": 9},
                {"recorded_at": NOW.replace(second=1)},
                {"prev_hash": bytes(32)},
                {"hash": bytes(32)},
            ]
        )
    )
    spoilt = [replace(e, **changed) if i == place else e for i, e in enumerate(events)]  # type: ignore[arg-type]
    broken = verify(RECEIPT, spoilt, len(events), head)
    assert broken is not None
    assert broken.seq == place + 1
    cut = verify(RECEIPT, events[:-1], len(events), head)
    assert cut is not None
    assert cut.seq == len(events)
    other = verify("760-2025-000002", events, len(events), head)
    assert other is not None
    assert other.seq == 1
