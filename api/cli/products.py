"""The rasters `diaba lidar terrain` makes: what each is called, its unit, how it is thinned out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One kind of raster."""

    label: str
    unit: str
    overviews: str = "AVERAGE"
    """GDAL's way to make the coarser levels: directions and kinds have no average."""


PRODUCTS = {
    "dtm": Product("terrain (DTM)", "m"),
    "dsm": Product("surface (DSM)", "m"),
    "ndsm": Product("height above ground (nDSM)", "m"),
    "hillshade": Product("hill shade", ""),
    "slope": Product("slope", "degrees"),
    "aspect": Product("aspect", "degrees", "NEAREST"),
    "density": Product("point density", "1/m²"),
    "gaps": Product("gaps", "", "MODE"),
}
HEIGHTS = ("dtm", "dsm", "ndsm")
"""Made of points, block by block."""
DERIVED = ("hillshade", "slope", "aspect")
"""Made of a DTM."""
DRAWN = PRODUCTS | {
    "change": Product("change of height", "m"),
    "flood": Product("depth of water", "m"),
}
"""All that pictures are made of."""
