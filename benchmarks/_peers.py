"""Other people's servers over the same PostGIS: tipg and pygeoapi, in a Python environment of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import yaml
from _city import Bench
from sqlalchemy import URL

from gis.store.cluster import SUPERUSER

TABLE = "peers.parcels"
PACKAGES = ("tipg", "pygeoapi", "psycopg2-binary", "geoalchemy2", "pygeofilter[backend-sqlalchemy]", "uvicorn")
"""Besides the two: what the PostgreSQL provider of pygeoapi asks for, and the server of both."""
MAKE = f"""
DROP SCHEMA IF EXISTS peers CASCADE;
CREATE SCHEMA peers;
CREATE TABLE {TABLE} AS
  SELECT uid, ward_code, sheet_no, parcel_no, land_use, area_legal,
    CAST(ST_Transform(geom, 3857) AS geometry(Polygon, 3857)) AS geom
  FROM diaba.parcel_version WHERE upper_inf(recorded);
ALTER TABLE {TABLE} ADD PRIMARY KEY (uid);
CREATE INDEX ON {TABLE} USING gist (geom);
GRANT USAGE ON SCHEMA peers TO PUBLIC;
GRANT SELECT ON {TABLE} TO PUBLIC;
ANALYZE {TABLE};
"""  # noqa: S608  a constant of this module
"""What peers are given: the parcels of today, in the CRS of their tiles, which is the fastest for them."""


def folder() -> Path:
    """The environment the peers are in."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("DIABA_CACHE") or Path(cache) / "diaba") / "peers" / "venv"


def python() -> Path | None:
    """The peers' Python; None, and how to get it, where they are not installed."""
    program = folder() / "bin" / "python"
    if program.exists():
        return program
    print(
        f"no peers: to measure beside them, run\n  uv venv {folder()} && "
        f"uv pip install --python {program} {' '.join(PACKAGES)}",
        flush=True,
    )
    return None


def versions(program: Path) -> str:
    """What is installed, as text."""
    code = f"from importlib.metadata import version as v; print(', '.join(f'{{p}} {{v(p)}}' for p in {PACKAGES[:2]!r}))"
    return subprocess.run([program, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def make_table(bench: Bench) -> None:
    """The peers' table, made anew."""
    with bench.database.server.administrate(bench.database.name) as session:
        session.execute(MAKE)


@contextmanager
def tipg(bench: Bench, program: Path) -> Iterator[str]:
    """Tipg with one worker; all features of a tile, as diaba has them, not the first 10,000."""
    url = _address(bench)
    host = quote(str(url.query["host"]), safe="")
    environment = {
        "DATABASE_URL": f"postgresql://{url.username}:{url.password}@{host}:5432/{url.database}",
        "TIPG_DB_SCHEMAS": json.dumps(["peers"]),
        "TIPG_MAX_FEATURES_PER_TILE": "100000000",
    }
    with _running(program, ["-m", "uvicorn", "tipg.main:app"], environment, "/healthz") as address:
        yield address


@contextmanager
def pygeoapi(bench: Bench, program: Path, work: Path) -> Iterator[str]:
    """Pygeoapi with one worker, under Starlette."""
    url, port = _address(bench), _free_port()
    data = {
        "host": str(url.query["host"]),
        "port": 5432,
        "dbname": url.database,
        "user": url.username,
        "password": url.password,
        "search_path": ["peers"],
    }
    provider = {"type": "feature", "name": "PostgreSQL", "data": data, "id_field": "uid", "table": "parcels"}
    provider |= {"geom_field": "geom", "storage_crs": "http://www.opengis.net/def/crs/EPSG/0/3857"}
    language = {"languages": ["en-US"], "encoding": "utf-8", "mimetype": "application/json; charset=UTF-8"}
    address = f"http://127.0.0.1:{port}"
    limits = {"default_items": 10, "max_items": 1000, "on_exceed": "throttle"}
    server = {"bind": {"host": "127.0.0.1", "port": port}, "url": address, "map": {"url": "", "attribution": ""}}
    who = {"name": "bench", "url": address}
    identification = {"title": "bench", "description": "bench", "keywords": ["bench"], "keywords_type": "theme"}
    identification |= {"terms_of_service": address, "url": address}
    contact = who | dict.fromkeys(("position", "address", "city", "stateorprovince", "postalcode", "country"), "-")
    contact |= dict.fromkeys(("phone", "fax", "email", "hours", "instructions", "role"), "-")
    config = {
        "server": server | language | {"limits": limits, "gzip": True, "pretty_print": False},
        "logging": {"level": "ERROR"},
        "metadata": {"identification": identification, "license": who, "provider": who, "contact": contact},
        "resources": {
            "parcels": {
                "type": "collection",
                "title": "parcels",
                "description": "parcels",
                "keywords": ["parcels"],
                "links": [],
                "extents": {"spatial": {"bbox": [-180, -90, 180, 90]}},
                "providers": [provider],
            }
        },
    }
    paths = {name: work / name for name in ("pygeoapi.yml", "openapi.yml")}
    paths["pygeoapi.yml"].write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = {"PYGEOAPI_CONFIG": str(paths["pygeoapi.yml"]), "PYGEOAPI_OPENAPI": str(paths["openapi.yml"])}
    command = ["openapi", "generate", str(paths["pygeoapi.yml"]), "--output-file", str(paths["openapi.yml"])]
    done = subprocess.run(
        [program.with_name("pygeoapi"), *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"pygeoapi: {done.stderr or done.stdout}")
    with _running(program, ["-m", "uvicorn", "pygeoapi.starlette_app:APP"], environment, "/", port) as found:
        yield found


def _address(bench: Bench) -> URL:
    """Of the administrating login: tipg makes temporary functions, which the reader may not."""
    server = bench.database.server
    if server.cluster is None:
        raise SystemExit("peers are measured over a private store")
    return server.admin.set(password=server.cluster.password(SUPERUSER), database=bench.database.name)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def _running(
    program: Path, command: list[str], environment: dict[str, str], ready: str, port: int | None = None
) -> Iterator[str]:
    port = port or _free_port()
    address = f"http://127.0.0.1:{port}"
    options = ["--port", str(port), "--log-level", "error", "--no-access-log"]
    with subprocess.Popen([program, *command, *options], env=os.environ | environment) as process:
        try:
            for _ in range(600):
                try:
                    if httpx.get(f"{address}{ready}", timeout=5).status_code < 500:
                        break
                except httpx.HTTPError:
                    pass
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(command)} does not start")
                time.sleep(0.1)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
