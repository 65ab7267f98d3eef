"""Ask a running service everything its description allows and much that it does not, by schemathesis.

Usage: python -m scripts.fuzz http://127.0.0.1:8000 [schemathesis' own options, such as --max-time 600]

No answer may be a failure of the server (5xx) or one that the description does not have. Keys of features the service
really has are put in place of some of the invented ones, so that answers other than 404 are seen too. The service is to
be started with DIABA_RATE_PER_SECOND=0, or most answers are 429.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import schemathesis

CHECKOUT = Path(__file__).resolve().parent.parent
KNOWN = "DIABA_FUZZ_KNOWN"
"""Variable that tells the program which values the service knows: parameter → value, as JSON."""


def known(url: str) -> dict[str, Any]:
    """Values of parameters that have an answer in the service: keys, a tile and a place where a building is."""
    found: dict[str, Any] = {"collectionId": "parcels", "layer": "parcels", "product": "dtm"}
    for collection, name in (("parcels", "featureId"), ("buildings", "uid")):
        features = httpx.get(f"{url}/collections/{collection}/items?limit=1", timeout=30).json()["features"]
        if features:
            found[name] = features[0]["id"]
            x, y = features[0]["geometry"]["coordinates"][0][0][:2]
            found |= {"x": str(x), "y": str(y), "bbox": f"{x},{y},{x + 0.001},{y + 0.001}"}
            z = 16
            found["tile"] = {"z": z, "x": int((x + 180) / 360 * 2**z), "y": _row(y, z)}
    return found


def _row(latitude: float, zoom: int) -> int:
    from math import asinh, pi, radians, tan

    return int((1 - asinh(tan(radians(latitude))) / pi) / 2 * 2**zoom)


_parse = ast.parse


def _parse_or_refuse(*arguments: Any, **options: Any) -> Any:
    """`ast.parse`, by which hypothesis names functions; it does without where the source is none.

    Deep in other calls Python 3.11 miscounts how deep a long source is, and raises SystemError for a good one.
    """
    try:
        return _parse(*arguments, **options)
    except SystemError as error:
        raise SyntaxError(str(error)) from error


ast.parse = _parse_or_refuse
_known: dict[str, Any] = json.loads(os.environ.get(KNOWN, "{}"))


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other set of parameters is one that has an answer."""
    if not path_parameters or not _is_chosen(path_parameters):
        return path_parameters
    here = _known.get("tile", {}) if "z" in path_parameters else _known
    return {name: here.get(name, value) for name, value in path_parameters.items()}


@schemathesis.hook
def map_query(context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Every other place is in the city."""
    if not query or not _is_chosen(query):
        return query
    return {name: _known.get(name, value) if name in ("x", "y", "bbox") else value for name, value in query.items()}


def _is_chosen(values: dict[str, Any]) -> bool:
    return sum(map(ord, repr(sorted(map(str, values.values()))))) % 2 == 0


def main(url: str, *options: str) -> int:
    """Run it; returns schemathesis' exit code, 0 when nothing was found."""
    environment = os.environ | {
        KNOWN: json.dumps(known(url)),
        "SCHEMATHESIS_HOOKS": "scripts.fuzz",
        "PYTHONPATH": str(CHECKOUT),
    }
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", CHECKOUT / "schemathesis.toml", "run", f"{url}/api", *options]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
