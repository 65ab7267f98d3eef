"""The ending of a name says the format."""

from __future__ import annotations

from pathlib import Path

import pytest

from gis.city_model.write import WRITERS, write_buildings
from gis.errors import UnreadableFile
from tests.gis.city_model.roof_samples import houses

OPENINGS = {".city.json": b"{", ".city.jsonl": b"{", ".obj": b"# diaba", ".glb": b"glTF", ".gpkg": b"SQLite format 3"}


@pytest.mark.parametrize("ending", WRITERS)
def test_the_ending_says_the_format(tmp_path: Path, ending: str) -> None:
    for name in (f"b{ending}", f"B{ending.upper()}"):
        write_buildings(houses()[:2], tmp_path / name, "EPSG:9210+5727")
        assert (tmp_path / name).read_bytes().startswith(OPENINGS[ending])
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["b.shp", "b.json", "b", "obj", "b.city"])
def test_another_ending_is_refused_with_the_list(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFile, match=r"\.city\.json, \.city\.jsonl, \.obj, \.glb, \.gpkg"):
        write_buildings([], tmp_path / name, "EPSG:9210")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [ending for ending in WRITERS if ending != ".gpkg"])
def test_the_same_buildings_make_the_same_bytes(tmp_path: Path, ending: str) -> None:
    # A GeoPackage holds the time of its last change.
    for name in ("a", "b"):
        write_buildings(houses(), tmp_path / f"{name}{ending}", "EPSG:9210+5727")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
