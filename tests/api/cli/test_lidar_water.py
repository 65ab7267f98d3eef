"""`diaba lidar flood`, `levelling` and `change` on small terrains whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from shapely import box

from api.cli.main import run
from gis.crs import normalise
from gis.grid import Grid
from gis.raster import Raster, read_raster, write_cog

CRS = normalise("EPSG:9210+5727")
EAST, NORTH = 603000.0, 1191000.0


def terrain(path: Path, *, dug: float = 0.0, seed: int = 0) -> Path:
    """50 m × 50 m: a river of 0.3 m in the west, a dike of 2 m, land at 1 m with a hollow, σ 3 cm."""
    grid = Grid(normalise("EPSG:9210"), 0.5, 1_206_000, 2_382_000, 100, 100)
    x, y = np.meshgrid(*grid.centres())
    z = 1.0 + np.random.default_rng(seed).normal(0, 0.03, grid.shape)
    z[x < EAST + 10] = 0.3
    z[(x > EAST + 10) & (x < EAST + 12)] = 2.0
    z[(abs(x - EAST - 35) < 3) & (abs(y - NORTH - 25) < 3)] -= 0.6
    z[(abs(x - EAST - 25) < 4) & (abs(y - NORTH - 10) < 4)] -= dug
    z[:, -1] = z[0] = z[-1] = np.where(x[0] < EAST + 10, 0.3, 2.5)[: grid.columns]
    z[:, -1] = 2.5
    write_cog(
        Raster(z.astype(np.float32), grid, {"sigma": np.full(grid.shape, 0.03, np.float32)}),
        path,
        name="dtm",
        crs=CRS,
        unit="m",
    )
    return path


def said(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, object]:
    assert run(["lidar", *map(str, arguments), "--json"]) == 0, capfd.readouterr().err
    found: dict[str, object] = json.loads(capfd.readouterr().out)
    return found


def test_a_dike_keeps_the_land_dry_until_it_is_too_low(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dtm, out, png = terrain(tmp_path / "dtm.tif"), tmp_path / "flood.tif", tmp_path / "flood.png"
    low = said(capfd, "flood", dtm, out, "--level", "1.5", "--png", png)
    assert low["area_m2"] == pytest.approx(50 * 10, rel=0.02)
    assert png.read_bytes().startswith(b"\x89PNG")
    with rasterio.open(out) as source:
        assert source.descriptions == ("depth", "probability", "threshold")
        assert source.crs.to_wkt().count("Hon Dau") > 0
    high = said(capfd, "flood", dtm, out, "--level", "2.1")
    assert float(str(high["area_m2"])) > 50 * 45
    gpd.GeoDataFrame(geometry=[box(EAST + 30, NORTH + 20, EAST + 32, NORTH + 22)], crs=9210).to_file(
        tmp_path / "w.gpkg"
    )
    inside = said(capfd, "flood", dtm, out, "--level", "1.5", "--from", tmp_path / "w.gpkg")
    assert float(str(inside["area_m2"])) == pytest.approx(50 * 38, rel=0.06)
    assert float(str(said(capfd, "flood", dtm, out, "--levels", dtm, "--from", "edges")["volume_m3"])) == 0


def test_hollows_are_listed_with_what_they_hold(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dtm = terrain(tmp_path / "dtm.tif")
    found = said(capfd, "flood", dtm, tmp_path / "ponds.tif", "--ponds")
    (largest, *_) = found["ponds"]  # type: ignore[misc]
    # All land behind the dike is one hollow, that spills over it.
    assert largest["level"] == pytest.approx(2.0, abs=0.01)
    assert run(["lidar", "flood", str(dtm), str(tmp_path / "ponds.tif"), "--ponds"]) == 0
    assert "spills at 2.00 m" in capfd.readouterr().out


def test_lots_are_held_against_their_level(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dtm, lots = terrain(tmp_path / "dtm.tif"), tmp_path / "lots.gpkg"
    shapes = [box(EAST + 20, NORTH + 40, EAST + 26, NORTH + 48), box(EAST + 900, NORTH, EAST + 910, NORTH + 10)]
    gpd.GeoDataFrame({"uid": ["a", "b"]}, geometry=shapes, crs=9210).to_file(lots, layer="lots")
    found = said(capfd, "levelling", dtm, lots, "--level", "1.4")
    first, second = found["lots"]  # type: ignore[misc]
    assert first["fill"] == pytest.approx(48 * 0.4, abs=3 * first["sigma_fill"])
    assert first["cut"] == 0
    assert second["known"] == 0
    assert second["fill"] is None
    assert run(["lidar", "levelling", str(dtm), str(lots), "--level", "1.4", "--below-only"]) == 0
    assert "a: ground 1.0" in capfd.readouterr().out


def test_earth_moved_is_told_and_drawn(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before, after = terrain(tmp_path / "a.tif"), terrain(tmp_path / "b.tif", dug=0.5, seed=1)
    found = said(capfd, "change", before, after, tmp_path / "c.tif", "--png", tmp_path / "c.png")
    cut = found["cut"]
    assert cut["m3"] == pytest.approx(64 * 0.5, abs=4 * cut["sigma"] + 0.5)  # type: ignore[index]
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    difference = read_raster(tmp_path / "c.tif")
    assert set(difference.bands) == {"sigma", "detected"}
    elsewhere = f"{EAST + 30},{NORTH + 30},{EAST + 40},{NORTH + 40}"
    other = said(capfd, "change", before, after, tmp_path / "c.tif", "--area", elsewhere)
    assert other["cut"]["area_m2"] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("flood", "a.tif", "o.tif"), "one of --level"),
        (("flood", "a.tif", "o.tif", "--level", "1", "--ponds"), "one of --level"),
        (("flood", "none.tif", "o.tif", "--level", "1"), "not a readable raster"),
        (("flood", "a.tif", "o.tif", "--level", "1", "--from", "a.tif"), "vector file"),
        (("change", "a.tif", "a.tif", "o.tif"), "same survey"),
        (("change", "a.tif", "a.tif", "o.tif", "--area", "1,2"), "four numbers"),
        (("levelling", "a.tif", "a.tif", "--level", "1"), "vector file"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    why: str,
) -> None:
    terrain(tmp_path / "a.tif")
    monkeypatch.chdir(tmp_path)
    assert run(["lidar", *arguments]) == 3
    out, err = capfd.readouterr()
    assert (out, len(err.strip().splitlines())) == ("", 1)
    assert why in err
    assert not (tmp_path / "o.tif").exists()
