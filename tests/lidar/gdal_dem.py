"""GDAL's own slope, aspect, hill shade and contours, asked of the library that rasterio brings: the independent oracle.

rasterio wraps neither `gdaldem` nor `gdal_contour`, so their C functions are called where they were loaded.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import rasterio

DONE = 0


def gdal() -> ctypes.CDLL:
    """The GDAL library rasterio has loaded into this process."""
    mapped = Path("/proc/self/maps").read_text().splitlines()
    loaded = {line.split(maxsplit=5)[-1] for line in mapped if "libgdal" in line}
    ours = [path for path in loaded if "rasterio" in path] or sorted(loaded)
    library = ctypes.CDLL(ours[0])
    library.GDALAllRegister()
    for name in ("GDALOpen", "GDALDEMProcessing", "GDALDEMProcessingOptionsNew"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


def dem(source: Path, mode: str, target: Path, *options: str) -> np.ndarray:
    """What `gdaldem MODE SOURCE TARGET OPTIONS…` writes, NaN for its nodata."""
    library = gdal()
    opened = library.GDALOpen(str(source).encode(), 0)
    assert opened, f"GDAL cannot open {source}"
    words = [text.encode() for text in options]
    settings = library.GDALDEMProcessingOptionsNew((ctypes.c_char_p * (len(words) + 1))(*words, None), None)
    made = library.GDALDEMProcessing(
        str(target).encode(),
        ctypes.c_void_p(opened),
        mode.encode(),
        None,
        ctypes.c_void_p(settings),
        ctypes.byref(ctypes.c_int(DONE)),
    )
    library.GDALClose(ctypes.c_void_p(made))
    library.GDALClose(ctypes.c_void_p(opened))
    library.GDALDEMProcessingOptionsFree(ctypes.c_void_p(settings))
    with rasterio.open(target) as sink:
        return sink.read(1, out_dtype="float32", masked=True).filled(np.nan)
