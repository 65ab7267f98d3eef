"""Pictures of evidence sheets: lines where the figures say, and what is nearer hides what is behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray
from shapely import LineString, Polygon, box
from weasyprint import HTML

from api.evidence.geometry import crossings, profile, section_line
from api.evidence.model_picture import ABOVE, COLUMNS, ROWS, model_picture
from api.evidence.raster3d import Canvas, View
from api.evidence.section_picture import section_picture
from api.evidence.sheet import Comparison, Drawing, EvidenceSheet, Measured, Permit, Section, Survey
from api.evidence.svg import Picture
from api.evidence.texts import WORDS, Words
from api.evidence.texts_en import ENGLISH
from api.evidence.texts_vi import VIETNAMESE

HEIGHT, PERMITTED, GROUND = 12.4, 9.0, 1.0


def sheet(permitted: float = PERMITTED) -> EvidenceSheet:
    """A block of 5 m × 16 m on its parcel."""
    ring = ((1000, 1000), (1500, 1000), (1500, 2600), (1000, 2600), (1000, 1000))
    ground, roof = round(100 * GROUND), round(100 * (GROUND + HEIGHT))
    corners = tuple((x, y, z) for z in (ground, roof) for x, y in ring[:4])
    sides = [t for i in range(4) for t in ((i, (i + 1) % 4, (i + 1) % 4 + 4), (i, (i + 1) % 4 + 4, i + 4))]
    section = Section(
        start=(1250, 500),
        end=(1250, 3100),
        half_width=75,
        points=tuple((500 + 20 * n, roof, 2) for n in range(80)),
        footprint=((500, 2100),),
        permitted=((500, 2100),),
        parcel=((500, 2100),),
        profile=((500, ground, 500, roof), (500, roof, 2100, roof), (2100, ground, 2100, roof)),
    )
    drawing = Drawing(
        origin=(603_000, 1_191_000),
        half_side=1800,
        parcel=(ring,),
        footprint=(ring,),
        permitted=((ring,),),
        setback=(),
        parcels=(),
        buildings=(),
        roads=(),
        section=section,
        corners=corners,
        triangles=(*sides, (4, 5, 6), (4, 6, 7)),
        cloud=(),
    )
    measured = Measured(
        building="b",
        height=HEIGHT,
        sigma_height=0.1,
        ground_height=GROUND,
        roof_height=GROUND + HEIGHT,
        roof_height_max=GROUND + HEIGHT,
        area=80.0,
        sigma_area=1.0,
        sigma_outline=0.1,
        storeys=4,
        storeys_least=3,
        storeys_most=4,
        level_of_detail="2.2",
        points=100,
        density=8.0,
        no_data_share=0.0,
        outline="known",
    )
    unknown = dict.fromkeys(("issued", "expires", "use", "ground_area", "floor_area", "setback_front", "setback_rear"))
    return EvidenceSheet(
        software="0",
        city="test",
        invented=True,
        crs="EPSG:9210",
        vertical="Hon Dau",
        finding=None,
        open_cases=0,
        measured=measured,
        comparisons=(
            Comparison(
                quantity="height",
                actual=HEIGHT,
                sigma=0.1,
                limit=permitted,
                unit="m",
                tolerance=1.6,
                k=2.33,
                verdict="beyond",
            ),
        ),
        limits=(),
        parcel=None,
        holders=None,
        permit=Permit(number="1", type="new", status="valid", floors=3, height=permitted, ground_level=None, **unknown),
        survey=Survey(epoch="e", first_day=None, last_day=None, density=8.0, point_noise=None, files=1),
        history=(),
        inputs=(),
        drawing=drawing,
    )


def pixels(picture: Picture, scale: float = 3.0) -> NDArray[np.uint8]:
    """The picture as a printer would put it, in grey."""
    wide, high = picture.width / 10, picture.height / 10
    style = f"<style>@page{{size:{wide}mm {high}mm;margin:0}}body{{margin:0}}img{{display:block}}</style>"
    written: bytes = HTML(string=f'{style}<img src="{picture.uri}">').write_pdf()
    page = pypdfium2.PdfDocument(written)[0]
    array: NDArray[np.uint8] = page.render(scale=scale, grayscale=True).to_numpy()
    return array.copy()


def lines_across(grey: NDArray[np.uint8]) -> list[float]:
    """Rows (middle of each) of lines that run across the plot's left end, where nothing else is drawn."""
    high, wide = grey.shape
    frame = np.flatnonzero((grey < 90).mean(axis=0) > 0.6)
    left = int(frame[0]) + 12
    # Wide enough for a dash of each broken line.
    dark = (grey[:, left : left + int(0.03 * wide)] < 90).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], dark.astype(int), [0]])))
    return [(a + b - 1) / 2 for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a < 0.02 * high]


@pytest.mark.parametrize("permitted", [9.0, 6.5, 15.0])
def test_the_permitted_line_is_where_the_permit_says(permitted: float) -> None:
    grey = pixels(section_picture(sheet(permitted), WORDS["vi"]))
    rows = lines_across(grey)
    expected = sorted([GROUND, GROUND + HEIGHT, GROUND + permitted, GROUND + permitted + 1.6], reverse=True)
    # Between the frame's two edges; the letter A lies at the top.
    inner = [row for row in rows if rows[0] + 4 < row < rows[-1] - 4][-4:]
    assert len(inner) == 4
    per_metre = (inner[-1] - inner[0]) / (expected[0] - expected[-1])
    for row, height in zip(inner, expected, strict=True):
        assert (inner[-1] - row) / per_metre == pytest.approx(height - GROUND, abs=1.5 / per_metre)


def test_a_nearer_triangle_hides_a_farther_one_pixel_by_pixel() -> None:
    rng = np.random.default_rng(5)
    triangles = rng.uniform(0, 10, (12, 3, 3))
    colours = rng.integers(0, 250, (12, 3)).astype(np.uint8)
    view = View(azimuth=35.0, down=30.0)
    canvas = Canvas(view, triangles.reshape(-1, 3), 90, 110)
    canvas.triangles(triangles, colours)
    placed = canvas.placed(triangles.reshape(-1, 3)).reshape(-1, 3, 3)
    for row in range(0, 90, 3):
        for column in range(0, 110, 3):
            best, colour = np.inf, np.array([255, 255, 255])
            for (a, b, c), own in zip(placed, colours, strict=True):
                solved = np.linalg.solve(
                    np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1, 1, 1]]), [column + 0.5, row + 0.5, 1]
                )
                depth = solved @ [a[2], b[2], c[2]]
                if (solved > 1e-6).all() and depth < best:
                    best, colour = depth, own
                elif (abs(solved) <= 1e-6).any():
                    best, colour = -np.inf, canvas.colour[row, column]
            np.testing.assert_array_equal(canvas.colour[row, column], colour)


def test_a_place_farther_away_lies_deeper_and_north_is_up_when_looking_north() -> None:
    view = View(azimuth=0.0, down=30.0)
    right, up, away = view.turned(np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])).T
    assert right == pytest.approx([1, 0, 0])
    assert up == pytest.approx([0, 0.5, 3**0.5 / 2])
    assert away == pytest.approx([0, 3**0.5 / 2, -0.5])


def coloured(png: bytes) -> NDArray[np.uint8]:
    from io import BytesIO

    import matplotlib.image

    read = matplotlib.image.imread(BytesIO(png))
    return np.rint(255 * read[:, :, :3]).astype(np.uint8)


def test_what_stands_above_the_permitted_height_is_hatched_and_nothing_else() -> None:
    above = coloured(model_picture(sheet(permitted=6.0)))
    assert above.shape == (ROWS, COLUMNS, 3)
    hatched = (above == np.array(ABOVE)).all(axis=2)
    assert hatched.sum() > 5_000
    within = coloured(model_picture(sheet(permitted=13.0)))
    assert not (within == np.array(ABOVE)).all(axis=2).any()
    half = (coloured(model_picture(sheet(permitted=9.2))) == np.array(ABOVE)).all(axis=2)
    assert half.sum() < hatched.sum()


def test_the_section_runs_along_the_house_or_across_what_stands_out() -> None:
    house = box(0, 0, 5, 16)
    plain = section_line(house, None, None)
    assert plain.length == pytest.approx(26)
    assert {round(x, 6) for x, _ in plain.coords} == {2.5}
    # One metre over the eastern line, in the north.
    over = Polygon([(0, 0), (5, 0), (5, 10), (6, 10), (6, 16), (0, 16)])
    across = section_line(over, house, house)
    assert {round(y, 6) for _, y in across.coords} == {13.0}
    assert crossings(across, house) == ((500, 1000),)
    assert crossings(across, over) == ((500, 1100),)


def test_the_profile_of_a_block_is_its_outline() -> None:
    one = sheet()
    corners = np.array(one.drawing.corners) / 100
    cut = LineString([(12.5, 5.0), (12.5, 31.0)])
    found = profile(cut, corners, np.array(one.drawing.triangles))
    ends = {(d, z) for d0, z0, d1, z1 in found for d, z in ((d0, z0), (d1, z1))}
    assert {(500, 100), (500, 1340), (2100, 100), (2100, 1340)} <= ends
    assert all(d in (500, 2100) or z == 1340 for d, z in ends)


def test_both_languages_say_the_same_things() -> None:
    assert set(VIETNAMESE) == set(ENGLISH)
    import string

    for name, text in VIETNAMESE.items():
        fields = [{f for _, f, _, _ in string.Formatter().parse(one) if f} for one in (text, ENGLISH[name])]
        assert fields[0] == fields[1], name
    assert Words("vi", VIETNAMESE).number(-1.25) == "−1,25"
    assert Words("en", ENGLISH).day("2013-05-17") == "17 May 2013"
    assert replace(WORDS["vi"]).day("2013-05-17") == "17/05/2013"
