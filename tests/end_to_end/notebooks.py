"""The planners' notebooks, run by nbmake from a clean kernel, and what they came to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode
from nbmake.nb_run import NotebookRun

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = tuple(sorted(FOLDER.glob("*.ipynb")))
SECONDS = 300

PROBES = {
    "1": "{'buildings': len(buildings), 'parcels': len(parcels), 'permits': len(permits), 'flagged': len(differences)}",
    "2": "{'below': dict(zip(wet['uid'], wet['depth'])), 'level': LEVEL, 'unsure': int(unsure), "
    "'ground': dict(zip(parcels['uid'], parcels['ground'])), 'reached': dict(zip(lots['uid'], lots['deepest'])), "
    "'here': here['uid'].tolist()}",
    "3": "{'flat': hectares[True] * 1e4, 'tilted': hectares[False] * 1e4, 'uids': sorted(set(roofs['uid']))}",
    "4": "{'waits': {str(day.date()): int(wait) for day, wait in waits.items()}, 'paused': str(paused.due), "
    "'stand': stand[['receipt', 'status', 'clock']].to_dict('records')}",
    "5": "{'uid': house['uid'], 'permit': permit['permit_no'], 'limit': float(permit['height_m']), "
    "'measured': float(house['height']), 'sigma': float(case['sigma']), 'ground': float(ground), "
    "'along': seen.along.tolist(), 'z': seen.height.tolist(), 'wall': list(wall)}",
    "6": "{'outlines': [shape.wkt for shape in frame.geometry], 'heights': frame['height'].tolist(), "
    "'box': list(points.bounds.tuple), 'points': len(points)}",
}
"""By a notebook's number, what is asked of its kernel after its last cell; no notebook shows it."""


def run(notebook: Path, folder: Path) -> tuple[NotebookNode, dict[str, Any]]:
    """Run a copy of a notebook to its end; its cells with their outputs, and what the probe found."""
    content = nbformat.read(notebook, as_version=4)
    probe = f"import json as _json; print(_json.dumps({PROBES[notebook.name[0]]}, default=float))"
    content.cells.append(nbformat.v4.new_code_cell(probe))
    copy = folder / notebook.name
    nbformat.write(content, copy)
    done = NotebookRun(copy, SECONDS).execute()
    assert done.error is None, done.error.trace
    printed = "".join(output["text"] for output in done.nb.cells[-1].outputs if output.get("name") == "stdout")
    return done.nb, json.loads(printed)


def pictures(content: NotebookNode) -> list[str]:
    """The PNGs it shows, in base 64."""
    outputs = [output for cell in content.cells for output in cell.get("outputs", [])]
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def warned(content: NotebookNode) -> str:
    """All that went to stderr, where warnings go."""
    outputs = [output for cell in content.cells for output in cell.get("outputs", [])]
    return "".join(output["text"] for output in outputs if output.get("name") == "stderr")


def nearly(value: Any) -> Any:
    """What a probe found, equal to the same to a few millimetres: a service gives whole ones."""
    if isinstance(value, dict):
        return {key: nearly(one) for key, one in value.items()}
    if isinstance(value, list):
        return [nearly(one) for one in value]
    return pytest.approx(value, rel=1e-4, abs=0.005, nan_ok=True) if isinstance(value, float) else value
