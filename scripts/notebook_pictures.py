"""The pictures of the planners' page: one of each notebook, drawn by running it beside the only city there is.

.venv/bin/python -m scripts.notebook_pictures docs/images
"""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path

from nbmake.nb_run import NotebookRun
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SHOWN = {"1": -1, "2": -2, "3": 0, "4": 2, "5": 1, "6": -2}
"""By a notebook's number, which of its pictures is shown."""
LARGEST = 140_000
"""Bytes; what is smaller stays as it was drawn."""
WIDTHS = (760, 680, 600, 520, 440)
"""Pixels, tried in this order until a picture is small enough."""
COLOURS = 64


def main() -> None:
    """Run all notebooks and write notebook_1.png … notebook_6.png."""
    folder = Path(sys.argv[1])
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        done = NotebookRun(path, 600).execute()
        if done.error is not None:
            raise SystemExit(f"{path.name}: {done.error.summary}")
        outputs = [output for cell in done.nb.cells for output in cell.get("outputs", [])]
        found = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
        target = folder / f"notebook_{path.name[0]}.png"
        target.write_bytes(_small(base64.b64decode(found[SHOWN[path.name[0]]])))
        print(f"{target}: {target.stat().st_size / 1000:.0f} kB")  # noqa: T201


def _small(png: bytes) -> bytes:
    """The picture in a page's width, and in few colours where it is large."""
    if len(png) <= LARGEST:
        return png
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for width in WIDTHS:
        size = (width, round(picture.height * width / picture.width))
        made = io.BytesIO()
        smaller = picture.resize(size, Image.Resampling.LANCZOS)
        smaller.quantize(COLOURS, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
        if made.tell() <= LARGEST:
            break
    return made.getvalue()


if __name__ == "__main__":
    main()
