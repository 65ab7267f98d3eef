"""`diaba permits check` on files: its prescribed answer, its files, and every kind of bad input in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import trimesh
from cjio import cityjson
from click.testing import CliRunner

from api.cli.main import diaba, run
from tests.api.conftest import CityStore
from tests.gis.construction.proposals import collection, document, feature, line, moved, place, rectangle, ring

Json = dict[str, Any]
RULES = [
    *("building_density", "floor_area_ratio", "floors", "height", "height_at_building_line"),
    *("setback_front", "setback_rear", "setback_side", "balcony", "minimum_lot", "frontage", "road_reserve", "zone"),
]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Json], Path]:
    def written(proposal: Json) -> Path:
        path = tmp_path / "proposal.geojson"
        path.write_text(json.dumps(proposal), encoding="utf-8")
        return path

    return written


def check(path: Path, *words: str) -> Json:
    done = CliRunner().invoke(diaba, ["permits", "check", str(path), "--json", *words])
    assert done.exit_code == 0, (done.output, done.exception)
    answer: Json = json.loads(done.stdout)
    return answer


def test_the_answer_has_the_prescribed_form(write: Callable[[Json], Path]) -> None:
    zones = [{"density_pct": 60}]
    for proposal in (document(zones=zones), document(masses=[]), document(use="service"), document(roads=[])):
        answer = check(write(proposal))
        assert answer["verdict"] in ("pass", "fail", "doubtful")
        assert answer["binding"] in (*RULES, None)
        for one in answer["checks"]:
            wanted = {"rule", "source", "article", "limit", "actual", "unit", "margin", "verdict", "doubt"}
            assert wanted <= set(one)
            assert one["rule"] in RULES
            assert one["verdict"] in ("pass", "fail", "doubtful")
            assert isinstance(one["limit"], int | float | None)
            assert (one["doubt"] is None) == (one["verdict"] != "doubtful")


@pytest.mark.parametrize(("floors", "verdict"), [(2, "pass"), (9, "fail")])
def test_the_exit_code_is_0_whatever_the_verdict(write: Callable[[Json], Path], floors: int, verdict: str) -> None:
    answer = check(write(document(masses=[{"floors": floors}])))
    assert answer["verdict"] == verdict
    if verdict == "fail":
        assert answer["binding"] == "floors"


def test_the_table_marks_what_binds(write: Callable[[Json], Path]) -> None:
    done = CliRunner().invoke(diaba, ["permits", "check", str(write(document(masses=[{"floors": 9}])))])
    assert done.exit_code == 0
    assert re.search(
        r"^\*\*  floors +≤ 5 +9 +-4 +floors +fail +QĐ 56/2021/QĐ-UBND, Annex 18$", done.output, re.MULTILINE
    )
    assert done.output.rstrip().endswith("verdict: fail (floors)")


def test_what_the_file_leaves_open_the_options_say(write: Callable[[Json], Path]) -> None:
    proposal = document()
    for one in proposal["features"]:
        for name in ("use", "filed_on", "area_kind"):
            one["properties"].pop(name, None)
    path = write(proposal)
    answer = check(path, "--use", "detached", "--filed-on", "2026-01-31", "--area-kind", "existing")
    assert (answer["use"], answer["filed_on"], answer["area_kind"]) == ("detached", "2026-01-31", "existing")
    assert run(["permits", "check", str(path)]) == 3
    # The file goes first.
    assert check(write(document()), "--use", "service")["use"] == "attached"


def test_a_crs_member_may_be_there(write: Callable[[Json], Path]) -> None:
    for name in ("EPSG:9210", "urn:ogc:def:crs:EPSG::9210", "http://www.opengis.net/def/crs/EPSG/0/9210"):
        proposal = {**document(), "crs": {"type": "name", "properties": {"name": name}}}
        assert check(write(proposal))["verdict"] == "pass"


def test_the_envelope_is_written_in_every_format(write: Callable[[Json], Path], tmp_path: Path) -> None:
    path = write(document(masses=[]))
    volume = 5 * 3.5 * 17 + 5 * 0.5 * 21.999 + 5 * 14 * 22.4
    for ending in ("obj", "glb"):
        out = tmp_path / f"space.{ending}"
        told = check(path, "--envelope", str(out))["envelope"]
        assert (told["ground_m2"], told["height_m"]) == (90.0, 22.4)
        mesh = trimesh.load(out, force="mesh", process=True)
        mesh.merge_vertices(merge_tex=True, merge_norm=True)
        assert mesh.is_watertight
        assert mesh.volume == pytest.approx(volume, rel=1e-3)
    out = tmp_path / "space.city.json"
    check(path, "--envelope", str(out))
    with out.open(encoding="utf-8") as source:
        model = cityjson.reader(source)
    assert (model.get_epsg(), len(model.j["CityObjects"])) == (9210, 1)
    document_ = json.loads(out.read_text(encoding="utf-8"))
    assert document_["metadata"]["referenceSystem"].endswith("/9210")
    assert document_["CityObjects"]["envelope"]["attributes"]["use"] == "attached"


def test_a_picture_is_drawn(write: Callable[[Json], Path], tmp_path: Path) -> None:
    for number, proposal in enumerate((document(), document(masses=[]), document(roads=[]))):
        picture = tmp_path / f"{number}.png"
        check(write(proposal), "--png", str(picture))
        drawn = matplotlib.image.imread(picture)
        assert min(drawn.shape[:2]) > 300
        assert len(np.unique(drawn.reshape(-1, drawn.shape[-1]), axis=0)) > 5


# Bad input. Each is made from a good proposal: features are lot, road, footprint.


def put(number: int, **properties: Any) -> Callable[[Json], Json]:
    def spoil(proposal: Json) -> Json:
        proposal["features"][number]["properties"].update(properties)
        return proposal

    return spoil


def drop(number: int, name: str) -> Callable[[Json], Json]:
    def spoil(proposal: Json) -> Json:
        del proposal["features"][number]["properties"][name]
        return proposal

    return spoil


def shaped(number: int, geometry: Any) -> Callable[[Json], Json]:
    def spoil(proposal: Json) -> Json:
        proposal["features"][number]["geometry"] = geometry
        return proposal

    return spoil


def without(number: int) -> Callable[[Json], Json]:
    return lambda proposal: collection(*(f for n, f in enumerate(proposal["features"]) if n != number))


def also(*more: Json) -> Callable[[Json], Json]:
    return lambda proposal: collection(*proposal["features"], *more)


def crs(name: Any) -> Callable[[Json], Json]:
    return lambda proposal: {**proposal, "crs": {"type": "name", "properties": {"name": name}}}


def to(change: Callable[[float, float], tuple[float, float]]) -> Callable[[Json], Json]:
    """Absolute coordinates put in place of the given ones."""
    x0, y0 = place(0, 0)
    return lambda proposal: moved(proposal, lambda x, y: tuple(np.subtract(change(x0 + x, y0 + y), (x0, y0))))  # type: ignore[arg-type,return-value]


CROSSING = ring((0, 0), (5, 10), (5, 0), (0, 10))
BAD: dict[str, tuple[Callable[[Json], Any], str]] = {
    "no lot": (without(0), "0 features of role lot; give exactly one"),
    "two lots": (also(feature("lot", rectangle(9, 0, 14, 20))), "2 features of role lot"),
    "no features": (lambda _: collection(), "has no features"),
    "not a collection": (lambda p: p["features"][0], "not a GeoJSON FeatureCollection"),
    "a list": (lambda p: [p], "not a GeoJSON FeatureCollection"),
    "null": (lambda _: None, "not a GeoJSON FeatureCollection"),
    "features are no list": (lambda p: {**p, "features": {"a": 1}}, "has no features"),
    "a feature is none": (lambda p: {**p, "features": [1]}, "feature 1: not a GeoJSON Feature"),
    "too many features": (lambda p: {**p, "features": p["features"] * 100}, "300 features are too many"),
    "no properties": (lambda p: {**p, "features": [{**p["features"][0], "properties": None}]}, "role='None'"),
    "unknown role": (put(2, role="house"), "feature 3: role='house' is none of lot, road, footprint, zone"),
    "role of another kind": (put(2, role=["lot"]), "feature 3: role="),
    "no use": (drop(2, "use"), r"feature 3 \(footprint\): use is missing"),
    "unknown use": (put(2, use="villa"), "use='villa': is none of detached, attached"),
    "use is a number": (put(2, use=7), "use='7': is none of"),
    "unknown area kind": (put(2, area_kind="old"), "area_kind='old': is none of existing, new"),
    "two uses": (
        also(feature("footprint", rectangle(0, 12, 5, 14), floors=1, height_m=3, use="service")),
        "use is attached here and service there",
    ),
    "no floors": (drop(2, "floors"), "floors is missing"),
    "negative floors": (put(2, floors=-1), "floors='-1': a number from 1 to 200"),
    "no floor": (put(2, floors=0), "floors='0': a number from 1"),
    "half a floor": (put(2, floors=2.5), "floors='2.5': a whole number"),
    "floors as text": (put(2, floors="3"), "floors='3': not a number"),
    "floors as truth": (put(2, floors=True), "floors='True': not a number"),
    "no height": (drop(2, "height_m"), "height_m is missing"),
    "negative height": (put(2, height_m=-3), "height_m='-3'"),
    "huge height": (put(2, height_m=1e9), "height_m='1000000000.0'"),
    "higher at the line": (put(2, height_at_building_line_m=8), "more than height_m, which is 7"),
    "negative area": (put(2, gross_floor_area_m2=-5), "gross_floor_area_m2='-5'"),
    "negative balcony": (put(2, balcony_m=-1), "balcony_m='-1'"),
    "no day": (put(2, filed_on="2/3/2026"), "filed_on='2/3/2026': no day like"),
    "day as number": (put(2, filed_on=20260302), "filed_on='20260302': no day"),
    "temporary as text": (put(2, temporary="yes"), "temporary='yes': true or false"),
    "no reserve": (drop(1, "reserve_width_m"), r"feature 2 \(road\): reserve_width_m is missing"),
    "reserve of zero": (put(1, reserve_width_m=0), "reserve_width_m='0'"),
    "density above all": (also(feature("zone", rectangle(0, 0, 5, 5), density_pct=130)), "density_pct='130'"),
    "name is a list": (put(1, name=[1]), "name=.*a text is expected"),
    "crossing lot": (shaped(0, CROSSING), r"feature 1 \(lot\): Self-intersection"),
    "crossing footprint": (shaped(2, CROSSING), r"feature 3 \(footprint\): Self-intersection"),
    "footprint outside": (shaped(2, rectangle(0, 5, 5.5, 15)), "reaches 0.50 m outside of the lot"),
    "footprint elsewhere": (shaped(2, rectangle(50, 5, 55, 15)), "outside of the lot"),
    "footprint of another datum": (shaped(2, rectangle(190, 125, 195, 135)), "VN-2000 and WGS 84 are 225 m apart"),
    "road of another datum": (shaped(1, line((-50, -231), (50, -231))), "VN-2000 and WGS 84 are 225 m apart"),
    "lot is a line": (shaped(0, line((0, 0), (5, 5))), "its geometry is no Polygon"),
    "road is a polygon": (shaped(1, rectangle(0, 0, 5, 5)), "its geometry is no LineString"),
    "no geometry": (shaped(0, None), "its geometry is no Polygon"),
    "two parts": (
        shaped(0, {"type": "MultiPolygon", "coordinates": [rectangle(n, 0, n + 5, 9)["coordinates"] for n in (0, 9)]}),
        "it has 2 parts",
    ),
    "no coordinates": (shaped(0, {"type": "Polygon", "coordinates": []}), r"feature 1 \(lot\)"),
    "two corners": (shaped(0, ring((0, 0))), r"feature 1 \(lot\)"),
    "text in coordinates": (shaped(0, {"type": "Polygon", "coordinates": [[["a", "b"]] * 4]}), "no Polygon's"),
    "null in coordinates": (shaped(0, {"type": "Polygon", "coordinates": [[[None, 1]] * 4]}), "no Polygon's"),
    "nested too deep": (shaped(0, {"type": "Polygon", "coordinates": [[[[[[[1, 2]]]]]]]}), "no Polygon's"),
    "one number": (shaped(0, {"type": "Polygon", "coordinates": [[[1]] * 4]}), "no Polygon's"),
    "too small": (shaped(0, rectangle(0, 0, 0.5, 0.5)), "its area is 0.250 m²"),
    "degrees": (to(lambda x, y: (106.7 + x * 1e-9, 10.77 + y * 1e-9)), "look like degrees"),
    "degrees, latitude first": (to(lambda x, y: (10.77, 106.7)), "look like degrees"),
    "swapped": (to(lambda x, y: (y, x)), "look swapped"),
    "web mercator": (to(lambda x, y: (11_878_000 + x % 1e3, 1_204_000 + y % 1e3)), "outside of the south of Vietnam"),
    "millimetres": (to(lambda x, y: (x * 1e3, y * 1e3)), "outside of the south of Vietnam"),
    "another CRS": (crs("EPSG:32648"), "its CRS is 'EPSG:32648'; a proposal is in EPSG:9210"),
    "WGS 84": (crs("urn:ogc:def:crs:OGC:1.3:CRS84"), "its CRS is 'urn:ogc:def:crs:OGC:1.3:CRS84'"),
    "the other zone": (crs("EPSG:5899"), "its CRS is 'EPSG:5899'"),
    "CRS of another kind": (crs(9210), "its CRS is"),
    "a bomb of vertices": (
        shaped(0, {"type": "Polygon", "coordinates": [[place(n % 7, n % 11) for n in range(6_000)]]}),
        "6000 vertices are too many",
    ),
}


@pytest.mark.parametrize("damage", BAD)
def test_bad_input_is_refused_in_one_line(
    write: Callable[[Json], Path], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    spoil, message = BAD[damage]
    path = write(spoil(document()))
    refused(capsys, path, message)


def refused(capsys: pytest.CaptureFixture[str], path: Path, message: str, *words: str) -> None:
    assert run(["permits", "check", str(path), *words]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert len(err) < 500
    assert str(path) in err
    assert re.search(message, err), err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON"),
        (b"FeatureCollection", "is no JSON"),
        (b'{"type": "FeatureCollection", "features": [', "is no JSON"),
        (b"\xff\xfe{}", "is no JSON"),
        (b'{"type": NaN}', "is no JSON"),
        (b"[" * 200_000, "is no JSON"),
        (b" " * 2_000_001, "are too many for a proposal"),
    ],
)
def test_a_file_that_is_no_geojson_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    path = tmp_path / "bad.geojson"
    path.write_bytes(content)
    refused(capsys, path, message)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, tmp_path / "none.geojson", "there is no such file")
    refused(capsys, tmp_path, "is no file")


def test_an_envelope_that_cannot_be_is_said_and_nothing_is_written(
    write: Callable[[Json], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(document((3, 9), masses=[]))
    for name, message in (
        ("space.obj", "no envelope: lot_area_m2 27 m² is less than 36"),
        ("space.ifc", "are written as"),
    ):
        assert run(["permits", "check", str(path), "--envelope", str(tmp_path / name)]) == 3
        assert message in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["proposal.geojson"]


def test_a_verdict_is_kept_for_a_dossier_and_replayed(
    write: Callable[[Json], Path], make_store: Callable[..., CityStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store("verdicts")
    monkeypatch.setenv("DIABA_HOME", str(store.settings.home))
    monkeypatch.setenv("DIABA_CITY", "verdicts")
    monkeypatch.delenv("DIABA_DATABASE_URL", raising=False)
    answer = check(write(document()), "--keep", "H79-1")
    assert answer["kept"]["receipt_no"] == "H79-1"
    done = CliRunner().invoke(diaba, ["permits", "replay", "H79-1", "--json"])
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["verdicts"]
    assert (told["id"], told["same"], told["verdict"]) == (answer["kept"]["id"], True, "pass")
    assert told["rules_digest"] == answer["rules_digest"]
    assert run(["permits", "replay", "H79-2"]) == 3
