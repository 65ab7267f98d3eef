"""Raster tiles beside titiler: the same COG, the same tiles, each by its own service in one process, without a network.

`python benchmarks/raster_tiles.py [--peers] [--side 2000] [--tiles 60]` makes a terrain of side × side metres with
cells of 1 m, as one COG, and asks for tiles of zoom 17 all over it: hill shade, colours of height, coded heights.
diaba answers from its catalogue in PostGIS; titiler-core (2.x) is given the file's address. Each has answered a few
tiles elsewhere before (compiled code and caches of the file system are warm, the tiles themselves are new), then each
tile is asked for once. It prints milliseconds (median, 95 %) and bytes, and the ratio, with more than one client too.

With `--peers` titiler-core is installed into a private environment beside the measurements; without, it is taken from
there if it was, and left out otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

PEERS = Path(__file__).resolve().parents[1] / ".diaba" / "peers" / "titiler"
ZOOM = 17
EAST, NORTH = 603_000.0, 1_191_000.0
CLIENTS = 4
WARM = 5

Ask = Callable[[int, int, int], int]


def terrain(side: int, path: Path) -> None:
    """Gentle relief with kerbs and 3 cm of noise, as the products of LIDAR have it."""
    from gis.bounds import BoundingBox
    from gis.crs import horizontal, normalise
    from gis.grid import Grid
    from gis.raster import Raster, write_cog

    city = normalise("EPSG:9210+5727")
    grid = Grid.covering(BoundingBox(EAST, NORTH, EAST + side, NORTH + side, horizontal(city)), 1.0)
    x, y = np.meshgrid(*grid.centres())
    noise = np.random.default_rng(1).normal(0, 0.03, grid.shape)
    steps = 0.15 * (np.floor((x - EAST) / 40) % 2)
    heights = 3 + 1.5 * np.sin((x - EAST) / 180) * np.cos((y - NORTH) / 240) + steps + noise
    sigma = np.full(grid.shape, 0.07, np.float32)
    write_cog(Raster(heights.astype(np.float32), grid, {"sigma": sigma}), path, name="dtm", crs=city)


def tiles_over(side: int, most: int) -> list[tuple[int, int, int]]:
    """Tiles that lie wholly in the terrain, spread over it."""
    from gis.crs import transformer
    from gis.tile_grid import HALF_WORLD

    west, south, east, north = transformer(9210, 3857).transform_bounds(EAST, NORTH, EAST + side, NORTH + side)
    width = 2 * HALF_WORLD / 2**ZOOM
    columns = range(int((west + HALF_WORLD) / width) + 1, int((east + HALF_WORLD) / width))
    rows = range(int((HALF_WORLD - north) / width) + 1, int((HALF_WORLD - south) / width))
    every = [(ZOOM, x, y) for y in rows for x in columns]
    np.random.default_rng(2).shuffle(every)
    return [(int(z), int(x), int(y)) for z, x, y in every[: most + WARM]]


def measure(ask: Ask, tiles: Sequence[tuple[int, int, int]]) -> dict[str, float]:
    """Milliseconds and bytes of each tile, one after the other; then tiles a second by several clients at once."""
    for tile in tiles[:WARM]:
        ask(*tile)
    wanted = tiles[WARM:]
    alone, together = wanted[: len(wanted) // 2], wanted[len(wanted) // 2 :]
    times, sizes = [], []
    for tile in alone:
        began = time.perf_counter()
        sizes.append(ask(*tile))
        times.append(1000 * (time.perf_counter() - began))
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda tile: ask(*tile), together))
    rate = len(together) / (time.perf_counter() - began)
    return {
        "ms": float(np.median(times)),
        "ms_95": float(np.percentile(times, 95)),
        "bytes": float(np.mean(sizes)),
        "tiles_a_second": rate,
    }


def ours(path: Path, side: int, tiles: Sequence[tuple[int, int, int]], folder: Path) -> dict[str, Any]:
    """Diaba's service on a city of one tile, asked without a network."""
    from fastapi.testclient import TestClient

    from api.main import create_app
    from gis.access.roles import Role
    from gis.bounds import BoundingBox
    from gis.crs import horizontal, normalise
    from gis.files import sha256
    from gis.settings import City, Settings
    from gis.store import catalog, runs
    from gis.store.catalog import RasterProduct
    from gis.store.cluster import Cluster
    from gis.store.database import Database
    from gis.store.runs import PlannedTile

    settings = Settings(folder / "home", None, None)
    city = City("bench", normalise("EPSG:9210+5727"), folder / "home" / "cities" / "bench")
    city.save()
    database = Database.of(city, settings, start=True)
    try:
        bounds = BoundingBox(EAST, NORTH, EAST + side, NORTH + side, horizontal(city.crs))
        with database.open(Role.WRITER) as connection:
            catalog.save_campaign(connection, "2025", date(2025, 2, 1), date(2025, 2, 20))
            runs.plan(connection, "2025", [PlannedTile("whole", bounds, "h")])
            runs.claim(connection, "whole", "2025")
            raster = RasterProduct("dtm", str(path), sha256(path), 1.0, bounds)
            runs.save_tile(connection, "whole", "2025", rasters=[raster], points=None, buildings=[], statistics={})
        found: dict[str, Any] = {}
        for layer in ("hillshade", "dtm", "terrain-rgb", "contours"):
            with TestClient(create_app(settings, city)) as client:
                found[layer] = measure(_asked(client, f"/raster/{layer}/{{z}}/{{x}}/{{y}}.png"), tiles)
                if layer == "hillshade":
                    found["hillshade, again"] = measure(_asked(client, "/raster/hillshade/{z}/{x}/{y}.png"), tiles)
        return found
    finally:
        Cluster(settings.home).stop()


def theirs(path: Path, tiles: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    """Titiler's service, in its own environment (this file is run there)."""
    from fastapi import FastAPI  # type: ignore[import-not-found,unused-ignore]
    from fastapi.testclient import TestClient
    from titiler.core.factory import TilerFactory  # type: ignore[import-not-found,unused-ignore]

    app = FastAPI()
    app.include_router(TilerFactory().router)
    client = TestClient(app)
    address = f"/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png?url={path}&bidx=1"
    kinds = {
        "hillshade": "&algorithm=hillshade&buffer=1",
        "dtm": "&rescale=0,8&colormap_name=terrain",
        "terrain-rgb": "&algorithm=terrainrgb",
        "contours": "&algorithm=contours&buffer=1",
    }
    return {name: measure(_asked(client, address + more), tiles) for name, more in kinds.items()}


def _asked(client: Any, template: str) -> Ask:
    def ask(z: int, x: int, y: int) -> int:
        answer = client.get(template.format(z=z, x=x, y=y))
        if answer.status_code != 200:
            raise SystemExit(f"{answer.status_code} {answer.text[:200]}")
        return len(answer.content)

    return ask


def install() -> None:
    """titiler-core in an environment of its own."""
    subprocess.run([sys.executable, "-m", "uv", "venv", "--allow-existing", "-q", str(PEERS)], check=True)
    python = str(PEERS / "bin" / "python")
    subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", python, "titiler-core", "httpx", "httpx2"],
        check=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="store_true", help="install titiler-core beside the measurements")
    parser.add_argument("--side", type=int, default=2000, help="metres")
    parser.add_argument("--tiles", type=int, default=60)
    parser.add_argument("--theirs", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.theirs:
        task = json.loads(Path(given.theirs).read_text())
        print(json.dumps(theirs(Path(task["path"]), [tuple(tile) for tile in task["tiles"]])))
        return
    if given.peers:
        install()
    with TemporaryDirectory(prefix="diaba-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "dtm.tif"
        terrain(given.side, path)
        tiles = tiles_over(given.side, given.tiles)
        if len(tiles) < 4 * WARM:
            raise SystemExit("the terrain is too small for so many tiles; give a larger --side")
        peer: dict[str, Any] = {}
        if (PEERS / "bin" / "python").exists():
            (folder / "task.json").write_text(json.dumps({"path": str(path), "tiles": tiles}))
            command = [str(PEERS / "bin" / "python"), __file__, "--theirs", str(folder / "task.json")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print("titiler-core failed:", done.stderr.strip().splitlines()[-1][:150])
            else:
                peer = json.loads(done.stdout.splitlines()[-1])
        else:
            print("titiler-core is not installed: python benchmarks/raster_tiles.py --peers")
        own = ours(path, given.side, tiles, folder)
    print(f"{len(tiles) - WARM} tiles of zoom {ZOOM}, 256 × 256, half of them by {CLIENTS} clients at once")
    columns = f"{'ms':>8}{'95 %':>8}{'kB':>8}{'/s':>8}"
    print(f"{'layer':18}{columns}   titiler{columns}{'ratio':>8}")
    for layer, mine in own.items():
        other = peer.get(layer.split(",")[0])
        ratio = f"          {row(other)}{other['ms'] / mine['ms']:7.1f}×" if other else ""
        print(f"{layer:18}{row(mine)}{ratio}")


def row(found: dict[str, float]) -> str:
    return f"{found['ms']:8.1f}{found['ms_95']:8.1f}{found['bytes'] / 1000:8.1f}{found['tiles_a_second']:8.0f}"


if __name__ == "__main__":
    main()
