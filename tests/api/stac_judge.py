"""Run `stac-api-validator` as it is, but for where it gets the schemas of STAC: from pystac's copies, not the network.

Schemas of extensions are in no package; for them anything is valid here.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pystac
from stac_validator import utilities

FOLDER = Path(pystac.__file__).parent / "validation" / "jsonschemas"
CORE = re.compile(r"https://schemas\.stacspec\.org/v([0-9.]+)/(?:\w+)-spec/json-schema/(\w[\w-]*\.json)")
GEOJSON = re.compile(r"https://geojson\.org/schema/(\w+\.json)")


def schema(address: str) -> dict[str, Any]:
    """A schema by its address."""
    if core := CORE.fullmatch(address.split("#")[0]):
        path = FOLDER / "stac-spec" / f"v{core[1]}" / core[2]
    elif shape := GEOJSON.fullmatch(address.split("#")[0]):
        path = FOLDER / "geojson" / shape[1]
    else:
        assert address.startswith("https://stac-extensions.github.io/"), address
        return {"$schema": "http://json-schema.org/draft-07/schema#"}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    utilities._schema_cache = schema
    from stac_api_validator.__main__ import main

    sys.exit(main())
