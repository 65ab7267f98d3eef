"""Tiles in a PMTiles archive, read by the library's reader and held against the service."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import morecantile
import pytest
from fastapi.testclient import TestClient
from pmtiles.reader import MmapSource, Reader, all_tiles
from pmtiles.tile import TileType

from gis.crs import transformer
from gis.store.tile_layers import LAYERS
from tests.api.conftest import CityStore, Run
from tests.gis.store_samples import EAST, NORTH

QUAD = morecantile.tms.get("WebMercatorQuad")
AROUND = transformer(9210, 4326).transform_bounds(EAST - 40, NORTH - 40, EAST + 900, NORTH + 600)
BOX = ",".join(f"{value:.6f}" for value in AROUND)


@pytest.fixture
def small(command_line: Callable[..., Run], store: CityStore) -> Run:
    return command_line(store.settings.home, "--city", store.city.name)


def test_the_archive_holds_the_service_s_tiles_to_the_byte(small: Run, client: TestClient, tmp_path: Path) -> None:
    out = tmp_path / "city.pmtiles"
    code, said, _ = small("tiles", "export", str(out), "--zoom", "10-17", "--bbox", BOX, "--json")
    assert code == 0
    document = json.loads(said)
    asked = {(one.z, one.x, one.y) for one in QUAD.tiles(*AROUND, zooms=list(range(10, 18)))}
    served = {place: client.get("/tiles/{}/{}/{}.mvt".format(*place)).content for place in asked}
    with out.open("rb") as file:
        source = MmapSource(file)
        kept = {place: gzip.decompress(data) for place, data in all_tiles(source)}
        reader = Reader(source)
        header, metadata = reader.header(), reader.metadata()
        one = max(kept)
        assert gzip.decompress(reader.get(*one)) == kept[one]
    assert kept == {place: data for place, data in served.items() if data}
    assert len(kept) == document["tiles"] < document["looked_at"] == len(asked)
    assert (header["tile_type"], header["min_zoom"], header["max_zoom"], header["clustered"]) == (
        TileType.MVT,
        min(z for z, _, _ in kept),
        17,
        True,
    )
    assert header["min_lon_e7"] / 1e7 == pytest.approx(AROUND[0], abs=1e-6)
    assert [layer["id"] for layer in metadata["vector_layers"]] == list(LAYERS)


def test_an_archive_of_one_layer_and_another_day(small: Run, client: TestClient, tmp_path: Path) -> None:
    out = tmp_path / "old.pmtiles"
    more = ("--layer", "buildings", "--zoom", "15", "--bbox", BOX, "--as-of", "2020-06-30")
    code, said, _ = small("tiles", "export", str(out), *more)
    assert code == 0
    assert said.startswith(str(out))
    with out.open("rb") as file:
        kept = {place: gzip.decompress(data) for place, data in all_tiles(MmapSource(file))}
    for place, data in kept.items():
        asked = client.get("/tiles/{}/{}/{}.mvt".format(*place), params={"layers": "buildings", "as_of": "2020-06-30"})
        assert asked.content == data


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["x.mbtiles"], 3, ".pmtiles"),
        (["x.pmtiles", "--zoom", "9-3"], 2, "zoom levels"),
        (["x.pmtiles", "--zoom", "8-99"], 2, "zoom levels"),
        (["x.pmtiles", "--bbox", "1,2,3"], 3, "bbox"),
        (["x.pmtiles", "--layer", "party"], 3, "layers are"),
        (["x.pmtiles", "--zoom", "18-22", "--bbox", "105,9,108,12"], 3, "at most 2000000"),
        (["x.pmtiles", "--zoom", "12", "--bbox", "100,20,100.1,20.1"], 3, "anything in them"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(
    small: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, said = small("tiles", "export", *options)
    assert found == code
    assert why in said
    assert list(tmp_path.iterdir()) == []


def test_all_cells_can_be_made_anew(small: Run) -> None:
    code, said, _ = small("tiles", "generalise", "--all", "--json")
    assert code == 0
    assert json.loads(said)["cells"] >= 2
    code, said, _ = small("tiles", "generalise")
    assert (code, said) == (0, "0 cells of 512 m made anew\n")
