"""The clock, case by case: each due date worked by hand on a wall calendar, with the days counted beside it.

How a case is read: "2=1" is the first day counted, the 2nd of the month. Days named in parentheses are off.
"""

from __future__ import annotations

from datetime import date

import pytest

from gis.calendar import vietnam
from gis.construction.procedure import Clock, Event, Pause, Procedure, run_clock, version_in_force
from gis.construction.procedure_tables import procedures


def clock(
    procedure: str, filed: str, *pauses: str, extended: int = 0, events: dict[Event, date] | None = None
) -> Clock:
    day = date.fromisoformat(filed)
    stood = [Pause(*map(date.fromisoformat, pause.split(":"))) for pause in pauses]
    version = version_in_force(procedures(), Procedure(procedure), day)
    return run_clock(version, day, vietnam(), stood, extended, events or {})


NEW_LAW = [
    # The first day of the new law is Wednesday 1 July 2026: Thu 2=1, 3=2, Mon 6=3, 7=4, 8=5, 9=6, Fri 10=7.
    ("single_house", "2026-07-01", "2026-07-10"),
    # ... Mon 13=8, 14=9, 15=10.
    ("works", "2026-07-01", "2026-07-15"),
    ("adjustment", "2026-07-01", "2026-07-14"),
    # Thu 2=1, 3=2, Mon 6=3, 7=4, 8=5.
    ("extension", "2026-07-01", "2026-07-08"),
    ("reissue", "2026-07-01", "2026-07-08"),
    # Filed on Friday, Saturday or Sunday, Monday 6 is the first day: 6..10=1..5, Mon 13=6, 14=7.
    ("single_house", "2026-07-03", "2026-07-14"),
    ("single_house", "2026-07-04", "2026-07-14"),
    ("single_house", "2026-07-05", "2026-07-14"),
    # National Day 2026, Saturday 22 August worked for Monday 31: Fri 21=1, Sat 22=2, Mon 24..Fri 28=3..7,
    # (Mon 31, 1, 2), Thu 3=8, 4=9, Mon 7=10.
    ("works", "2026-08-20", "2026-09-07"),
    ("single_house", "2026-08-20", "2026-08-28"),
    # Fri 28=1, (Mon 31, 1, 2), Thu 3=2, 4=3, Mon 7=4, 8=5, 9=6, 10=7.
    ("single_house", "2026-08-27", "2026-09-10"),
    # (Mon 31, 1, 2), Thu 3=1, 4=2, Mon 7=3, 8=4, 9=5.
    ("extension", "2026-08-28", "2026-09-09"),
    # Filed on the Saturday that is worked, which as the day of filing does not count: Mon 24..Fri 28=1..5.
    ("reissue", "2026-08-22", "2026-08-28"),
    # Cultural Day: Tue 17..Fri 20=1..4, Mon 23=5, (24), 25=6, 26=7, 27=8, Mon 30=9.
    ("adjustment", "2026-11-16", "2026-11-30"),
    # Over New Year; Christmas is worked: 24=1, Fri 25=2, Mon 28=3, 29=4, 30=5, 31=6, (Fri 1), Mon 4=7, 5=8, 6=9, 7=10.
    ("works", "2026-12-23", "2027-01-07"),
    # Tết 2027: Mon 1=1, 2=2, 3=3, (Thu 4 to Wed 10), 11=4, 12=5, Mon 15=6, 16=7.
    ("single_house", "2027-01-29", "2027-02-16"),
    # 2=1, 3=2, (4 to 10), 11=3, 12=4, Mon 15..Fri 19=5..9, Mon 22=10.
    ("works", "2027-02-01", "2027-02-22"),
    # Filed within Tết: 11=1, 12=2, 15..19=3..7, 22=8, 23=9, 24=10.
    ("works", "2027-02-08", "2027-02-24"),
    # Hùng Kings on Friday 16 April 2027: Thu 15=1, (16), Mon 19..Fri 23=2..6, Mon 26=7.
    ("single_house", "2027-04-14", "2027-04-26"),
    # 30 April on a Friday, 1 May on a Saturday, made up for on Monday 3: 27=1, 28=2, 29=3, (30, 3), 4=4, 5=5, 6=6, 7=7,
    # Mon 10=8, 11=9, 12=10.
    ("works", "2027-04-26", "2027-05-12"),
    # National Day 2027, Thursday and Friday: Wed 1=1, (2, 3), Mon 6..Fri 10=2..6, Mon 13=7.
    ("single_house", "2027-08-31", "2027-09-13"),
]

OLD_LAW = [
    # Calendar days run on through weekends and holidays. The last day of the old law: 30 June + 15 = 15 July.
    ("single_house", "2026-06-30", "2026-07-15"),
    ("works", "2026-06-30", "2026-07-20"),
    ("adjustment", "2026-06-30", "2026-07-20"),
    # Working days here: Wed 1=1, 2=2, 3=3, Mon 6=4, 7=5.
    ("extension", "2026-06-30", "2026-07-07"),
    ("reissue", "2026-06-30", "2026-07-07"),
    # A dossier of the old law stays under it after 30 June: 25 June + 15 = 10 July.
    ("single_house", "2026-06-25", "2026-07-10"),
    # Through Tết 2025: 20 January + 15 = 35 January = 4 February.
    ("single_house", "2025-01-20", "2025-02-04"),
    # 20 + 20 = 40 January = 9 February, a Sunday.
    ("works", "2025-01-20", "2025-02-09"),
    # 3 + 20 = 23 March, a Sunday.
    ("works", "2025-03-03", "2025-03-23"),
    # February has 28 days, 10 + 20 = 30 = 2 March; in the leap year 2024 it has 29, so 1 March.
    ("works", "2025-02-10", "2025-03-02"),
    ("works", "2024-02-10", "2024-03-01"),
    # Over the year's end: 20 + 20 = 40 December = 9 January.
    ("works", "2025-12-20", "2026-01-09"),
    # 30 April and 1 May 2025, Friday 2 shifted to Saturday 26: Fri 25=1, Sat 26=2, Mon 28=3, 29=4, (30, 1, 2), 5=5.
    ("extension", "2025-04-24", "2025-05-05"),
    # Tết 2025: Fri 24=1, (27 to 31), Mon 3=2, 4=3, 5=4, 6=5.
    ("reissue", "2025-01-23", "2025-02-06"),
    # Tết 2026: Fri 13=1, (16 to 20), Mon 23=2, 24=3, 25=4, 26=5.
    ("extension", "2026-02-12", "2026-02-26"),
    # New Year 2026 with the shifted Friday: Wed 31=1, (1, 2), Mon 5=2, 6=3, 7=4, 8=5.
    ("reissue", "2025-12-30", "2026-01-08"),
    # The Saturday worked for it: 8=1, 9=2, Sat 10=3, Mon 12=4, 13=5.
    ("extension", "2026-01-07", "2026-01-13"),
    # Hùng Kings on Sunday 26 April 2026, made up for on Monday: 23=1, 24=2, (27), 28=3, 29=4, (30, 1), Mon 4=5.
    ("reissue", "2026-04-22", "2026-05-04"),
    # National Day 2025 on a Tuesday, with Monday: Fri 29=1, (1, 2), 3=2, 4=3, 5=4, Mon 8=5.
    ("extension", "2025-08-28", "2025-09-08"),
    # Hùng Kings on Monday 7 April 2025: Fri 4=1, (7), 8=2, 9=3, 10=4, 11=5.
    ("extension", "2025-04-03", "2025-04-11"),
]

PAUSED = [
    # A week from Monday to Friday: 2=1, 3=2, (6 to 10), Mon 13..Fri 17=3..7, Mon 20=8, 21=9, 22=10.
    ("works", "2026-07-01", ["2026-07-06:2026-07-10"], 0, "2026-07-22"),
    # One day, both its ends: 2=1, (3), Mon 6..Fri 10=2..6, Mon 13=7.
    ("single_house", "2026-07-01", ["2026-07-03:2026-07-03"], 0, "2026-07-13"),
    # A weekend holds no working day.
    ("single_house", "2026-07-01", ["2026-07-04:2026-07-05"], 0, "2026-07-10"),
    # Two pauses: 2=1, (3), 6=2, (7, 8), 9=3, 10=4, Mon 13=5, 14=6, 15=7.
    ("single_house", "2026-07-01", ["2026-07-03:2026-07-03", "2026-07-07:2026-07-08"], 0, "2026-07-15"),
    # The same two in the other order.
    ("single_house", "2026-07-01", ["2026-07-07:2026-07-08", "2026-07-03:2026-07-03"], 0, "2026-07-15"),
    # They overlap, 6 to 9 in all: 2=1, 3=2, (6 to 9), 10=3, Mon 13=4, 14=5, 15=6, 16=7.
    ("single_house", "2026-07-01", ["2026-07-06:2026-07-08", "2026-07-08:2026-07-09"], 0, "2026-07-16"),
    # It begins on what was the due day: 2=1, 3=2, 6..9=3..6, (10 to 14), 15=7.
    ("single_house", "2026-07-01", ["2026-07-10:2026-07-14"], 0, "2026-07-15"),
    # It begins after the due day, and changes nothing.
    ("single_house", "2026-07-01", ["2026-07-13:2026-07-20"], 0, "2026-07-10"),
    # It begins on the day of filing: (1, 2), 3=1, Mon 6..Fri 10=2..6, Mon 13=7.
    ("single_house", "2026-07-01", ["2026-07-01:2026-07-02"], 0, "2026-07-13"),
    # Over National Day 2026: Fri 21=1, Sat 22=2, 24..27=3..6, (28 August to 4 September), Mon 7=7, 8=8, 9=9, 10=10.
    ("works", "2026-08-20", ["2026-08-28:2026-09-04"], 0, "2026-09-10"),
    # Tết 2027 within the pause: 2=1, (3 to 12), Mon 15=2 .. 19=6, 22=7, 23=8, 24=9.
    ("adjustment", "2027-02-01", ["2027-02-03:2027-02-12"], 0, "2027-02-24"),
    # Old law, five calendar days: 18 March + 5.
    ("single_house", "2025-03-03", ["2025-03-10:2025-03-14"], 0, "2025-03-23"),
    # A weekend does count in calendar days: 18 March + 2.
    ("single_house", "2025-03-03", ["2025-03-08:2025-03-09"], 0, "2025-03-20"),
    # 28 April to 5 May are eight days: 18 + 20 = 38 April = 8 May, + 8.
    ("works", "2025-04-18", ["2025-04-28:2025-05-05"], 0, "2025-05-16"),
    # Extended: 23 March + 10 = 2 April; 18 March + 1.
    ("works", "2025-03-03", [], 10, "2025-04-02"),
    ("single_house", "2025-03-03", [], 1, "2025-03-19"),
    ("adjustment", "2025-03-03", [], 10, "2025-04-02"),
    # Both: 2 + 20 = 22 March, + 5 paused = 27, + 10 = 37 March = 6 April.
    ("works", "2026-03-02", ["2026-03-09:2026-03-13"], 10, "2026-04-06"),
    # The pause falls into the extension: 22 March is reached before; 23 to 27 stand; 28 March=1 .. 6 April=10.
    ("works", "2026-03-02", ["2026-03-23:2026-03-27"], 10, "2026-04-06"),
]


@pytest.mark.parametrize(("procedure", "filed", "due"), NEW_LAW)
def test_due_under_the_decree_of_2026(procedure: str, filed: str, due: str) -> None:
    found = clock(procedure, filed)
    assert found.due.isoformat() == due
    assert found.version.law.title == "Decree 217/2026"


@pytest.mark.parametrize(("procedure", "filed", "due"), OLD_LAW)
def test_due_under_the_law_of_2014(procedure: str, filed: str, due: str) -> None:
    found = clock(procedure, filed)
    assert found.due.isoformat() == due
    assert found.version.law.title == "Construction Law 2014 as amended 2020"


@pytest.mark.parametrize(("procedure", "filed", "pauses", "extended", "due"), PAUSED)
def test_due_with_pauses_and_extensions(procedure: str, filed: str, pauses: list[str], extended: int, due: str) -> None:
    assert clock(procedure, filed, *pauses, extended=extended).due.isoformat() == due


STEPS = [
    # 7 working days over 30 April: Fri 25=1, Sat 26=2, 28=3, 29=4, (30, 1, 2), 5=5, 6=6, 7=7; then 12 days: 19 May.
    ("single_house", "2025-04-24", (), {"examine": "2025-05-07", "consultation": "2025-05-19", "decide": "2025-05-09"}),
    # 2=1, 3=2, Mon 6=3; the notices one and two working days later; consultation two.
    (
        "single_house",
        "2026-07-01",
        (),
        {
            "examine": "2026-07-06",
            "refusal_notice": "2026-07-07",
            "supplement_notice": "2026-07-08",
            "consultation": "2026-07-08",
            "decide": "2026-07-10",
        },
    ),
    # Fri 21=1, Sat 22=2, 24=3, 25=4, 26=5.
    (
        "works",
        "2026-08-20",
        (),
        {
            "examine": "2026-08-26",
            "refusal_notice": "2026-08-27",
            "supplement_notice": "2026-08-28",
            "consultation": "2026-08-28",
            "decide": "2026-09-07",
        },
    ),
    # The supplement of Friday 14 March: Mon 17..Fri 21=1..5. The second of Tuesday 25: 26=1, 27=2, 28=3. Examination:
    # 4..7=1..4, (10 to 14), Mon 17=5, 18=6, 19=7; consultation 19 + 12 = 31. Decision: 18 March + 5 = 23, before
    # the second pause begins.
    (
        "single_house",
        "2025-03-03",
        ("2025-03-10:2025-03-14", "2025-03-24:2025-03-25"),
        {
            "examine": "2025-03-19",
            "supplement_notice": "2025-03-21",
            "supplement_notice_again": "2025-03-28",
            "consultation": "2025-03-31",
            "decide": "2025-03-23",
        },
    ),
    ("extension", "2026-07-01", (), {"decide": "2026-07-08"}),
]


@pytest.mark.parametrize(("procedure", "filed", "pauses", "expected"), STEPS)
def test_due_of_every_step(procedure: str, filed: str, pauses: tuple[str, ...], expected: dict[str, str]) -> None:
    found = clock(procedure, filed, *pauses)
    assert {entry.step.name: entry.due.isoformat() for entry in found.steps} == expected
    assert all(entry.step.citation for entry in found.steps)


def test_a_consultation_counts_from_the_day_the_examination_ended() -> None:
    # 7 March + 12 = 19 March, and no more taken as planned.
    found = clock("single_house", "2025-03-03", events={Event.EXAMINED: date(2025, 3, 7)})
    (consultation,) = [entry for entry in found.steps if entry.step.name == "consultation"]
    assert (consultation.due, consultation.is_planned) == (date(2025, 3, 19), False)
