"""What runs the pages finds what is wrong with them: changed figures, missing lines, commands that fail."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from scripts.docs.compare import mismatch, rewritten
from scripts.docs.faults import PageFault
from scripts.docs.homes import HOME, SAID, Homes
from scripts.docs.page import EMPTY, read_page
from scripts.docs.runner import differences, write
from scripts.docs.service import Service
from scripts.docs.shell import Call, plain_call

TODAY = [date(2026, 11, 26)]
DUE = "due Wed 2025-03-26 under Construction Law 2014 as amended 2020 …"
PAGE = f"""# A page

```console
$ diaba permits due --procedure works --filed 2025-03-03 --extended-days 3
{DUE}
…
```

<!-- file: numbers.txt -->
```text
1
2
```

```console
$ wc -l < numbers.txt
2
$ diaba permits due --procedure works --filed yesterday
diaba: filed='yesterday': give a day such as 2026-07-01
[exit 3]
```

```python
day = 26
day + 1
```

```text
27
```
"""


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    """Homes of nothing: these pages need no store."""
    made = Homes(tmp_path_factory.mktemp("homes"))
    (made.place(EMPTY) / HOME).mkdir(parents=True)
    (made.place(EMPTY) / SAID).touch()
    return made


def found(homes: Homes, folder: Path, text: str) -> list[str]:
    """The differences of a page: line, shown and said."""
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return [f"{one.line}: {one.shown} → {one.said}" for one in differences(read_page(path), homes, TODAY)]


def test_a_page_that_is_right_has_no_difference(homes: Homes, tmp_path: Path) -> None:
    assert found(homes, tmp_path, PAGE) == []


def test_a_changed_figure_is_found_with_its_line(homes: Homes, tmp_path: Path) -> None:
    (one,) = found(homes, tmp_path, PAGE.replace("2025-03-26", "2025-03-27"))
    assert one.startswith("5: due Wed 2025-03-27")
    assert "→ due Wed 2025-03-26" in one
    assert found(homes, tmp_path, PAGE.replace("\n2\n$", "\n3\n$")) == ["17: 3 → 2"]
    assert found(homes, tmp_path, PAGE.replace("\n27\n", "\n28\n")) == ["29: 28 → 27"]


def test_a_missing_line_is_found(homes: Homes, tmp_path: Path) -> None:
    assert found(homes, tmp_path, PAGE.replace("wc -l < numbers.txt\n2\n", "wc -l < numbers.txt\n")) == ["17: None → 2"]


def test_a_line_too_many_is_found(homes: Homes, tmp_path: Path) -> None:
    assert found(homes, tmp_path, PAGE.replace("numbers.txt\n2\n", "numbers.txt\n2\n3\n")) == ["18: 3 → None"]


def test_a_command_that_fails_is_found(homes: Homes, tmp_path: Path) -> None:
    assert found(homes, tmp_path, PAGE.replace("[exit 3]\n", "")) == ["20: None → [exit 3]"]
    assert "[exit 127]" in found(homes, tmp_path, "```console\n$ no-such-program 2> /dev/null\n```\n")[0]
    assert "ZeroDivisionError" in found(homes, tmp_path, "```python\n1 / 0\n```\n")[0]


def test_what_is_written_is_right_afterwards_and_only_that_changed(homes: Homes, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    wrong = PAGE.replace("2025-03-26", "2025-03-27").replace("[exit 3]\n", "").replace("\n27\n", "\n28\n")
    path.write_text(wrong, encoding="utf-8")
    assert write(read_page(path), homes, TODAY) == 3
    assert path.read_text(encoding="utf-8") == PAGE
    assert write(read_page(path), homes, TODAY) == 0


def test_output_of_python_that_is_not_shown_yet_is_written_behind_it(homes: Homes, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("```python\n6 * 7\n```\n\nText.\n", encoding="utf-8")
    write(read_page(path), homes, TODAY)
    assert path.read_text(encoding="utf-8") == "```python\n6 * 7\n```\n\n```text\n42\n```\n\nText.\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("text\n\n```console\n$ true\n", ":3: this block is not closed"),
        ("```console\ntrue\n```\n", ":2: a console block begins with a command"),
        ("<!-- file: a.txt -->\ntext\n", ":2: the note 'file' is not followed by a block"),
        ("<!-- home: empty -->\n<!-- home: other -->\n", "it names 2 homes"),
    ],
)
def test_a_page_that_cannot_be_run_is_named_with_the_line(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PageFault, match=re.escape(f"{path}:")) as raised:
        read_page(path)
    assert why in str(raised.value)


HASH = "41076bc5d32b6e319b03a76395e488b28bf8355cbb1ad040142c63237ecd3c95"
MAY_DIFFER = [
    ("recorded 2026-11-26T02:55:23+00:00", "recorded 2027-01-01T12:00:00.123456+07:00"),
    (f"sha256 {HASH}", f"sha256 {HASH[::-1]}"),
    ("tiles made (12.3 s)", "tiles made (4 s)"),
    ("secret K7QF-3M2X-9TRA-5DWE", "secret AAAA-BBBB-CCCC-0000"),
    ("from 2026-10-01 on", "from 2026-11-26 on"),
    ('{"features": […]}', '{"features": [1, 2]}'),
]
MUST_NOT = [
    ("recorded 2026-11-26T02:55:23+00:00", "recorded yesterday"),
    (f"sha256 {HASH}", "sha256 unknown"),
    ("tiles made (12.3 s)", "tiles made (4 h)"),
    ("height 12.3 m", "height 12.4 m"),
    ("from 2026-10-01 on", "from 2026-10-02 on"),
    ("3 of 4", "3 of 5"),
    ('{"features": […]}', '{"errors": [1, 2]}'),
    ("", "one"),
]


@pytest.mark.parametrize(("shown", "said"), MAY_DIFFER)
def test_what_differs_from_run_to_run_is_right_by_its_form(shown: str, said: str) -> None:
    assert mismatch([shown], [said], TODAY) is None


@pytest.mark.parametrize(("shown", "said"), MUST_NOT)
def test_all_else_is_a_difference(shown: str, said: str) -> None:
    assert mismatch([shown], [said], TODAY) is not None


def test_an_ellipsis_stands_for_lines_but_not_for_what_follows_them() -> None:
    said = ["a", "b", "c", "d"]
    for shown in (["a", "…"], ["…"], ["…", "d"], ["a", "…", "d"], ["a", "b", "…", "c", "d"], ["…", "c", "…"]):
        assert mismatch(shown, said, TODAY) is None, shown
    for shown in (["…", "c"], ["b", "…"], ["a", "…", "e"], ["…", "d", "a"], ["…", "c", "b", "…"]):
        assert mismatch(shown, said, TODAY) is not None, shown


def test_what_is_written_keeps_as_many_lines_and_letters_as_the_page_showed() -> None:
    said = ['{"type": "FeatureCollection", "features": []}', "two", "three", "four"]
    assert rewritten(['{"type": "Collection", …', "…", "fou"], said, TODAY) == [
        '{"type": "FeatureCollec…',
        "…",
        "four",
    ]


def test_only_what_needs_no_shell_is_run_in_this_process(tmp_path: Path) -> None:
    for name in ("b.laz", "a.laz"):
        (tmp_path / name).touch()
    known = {"SECRET": "K7QF-3M2X", "NAME": "two words"}

    def call(text: str) -> Call | None:
        return plain_call(text, tmp_path, known)

    assert call("diaba lidar inspect *.laz --json  # all") == Call(["lidar", "inspect", "a.laz", "b.laz", "--json"])
    assert call("diaba token 'planning:*' > token") == Call(["token", "planning:*"], file="token")
    assert call("diaba db url | tail -1 | wc -l") == Call(["db", "url"], filter="tail -1 | wc -l")
    assert call('diaba permits status 1 --secret "$SECRET"') == Call(
        ["permits", "status", "1", "--secret", "K7QF-3M2X"]
    )
    for text in ('diaba parcels find "$NAME"', "diaba db url; true", "diaba db url > $NAME", "diaba db url $(cat x)"):
        assert call(text) is None


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path, ports={8000: 7123})


def test_a_page_writes_port_8000_wherever_the_service_is(service: Service) -> None:
    there = service.inward("curl http://127.0.0.1:8000/collections?x=18000")
    assert there == "curl http://127.0.0.1:7123/collections?x=18000"
    assert service.outward(there) == "curl http://127.0.0.1:8000/collections?x=18000"
