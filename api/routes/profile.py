"""Rasters along a line and over a polygon."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from numpy.typing import NDArray
from starlette.responses import Response

from api.answers import JSON, answer, json_bytes
from api.crs_names import NamedCrs, named
from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from api.pictures import Product
from api.profile import Sampled, places_along, sampled, statistics
from api.query import plain
from api.routes.raster import Epoch, epochs_of, reference_of
from api.shapes import shape
from gis.crs import horizontal, transformer
from gis.errors import BadParameter
from gis.store.coverage import RasterFile, rasters_meeting

router = APIRouter(prefix="/raster", tags=["Raster"])

SAMPLES_MOST = 5_000
SAMPLES_USUAL = 500
LENGTH_MOST = 100_000.0
"""Metres."""
STEP_LEAST = 0.01
SERIES_MOST = 8
"""Products times campaigns in one profile."""
FilesCrs = Annotated[str | None, Query(alias="crs", description="CRS of `coords` and of the answer; CRS84 without it.")]


@router.get(
    "/profile",
    operation_id="getRasterProfile",
    summary="Heights along a line",
    responses={200: {"description": "Distances, places and series of values.", "content": {JSON: {}}}, **PROBLEMS},
    response_class=Response,
)
def profile(
    request: Request,
    service: ServiceDep,
    coords: Annotated[
        str,
        Query(
            description="The line as WKT, easting or longitude first.",
            examples=["LINESTRING(106.6935 10.7680, 106.6965 10.7695)"],
        ),
    ],
    crs: FilesCrs = None,
    products: Annotated[str, Query(description="Of `dtm`, `dsm` and `ndsm`, by commas.")] = "dtm",
    epochs: Annotated[
        str | None, Query(description="Campaigns, by commas; without it the newest that knows each place.")
    ] = None,
    step: Annotated[float | None, Query(ge=STEP_LEAST, description="Metres between two places.")] = None,
    samples: Annotated[
        int | None, Query(ge=2, le=SAMPLES_MOST, description="Places along the line, instead of a step.")
    ] = None,
) -> Response:
    """Values of the cells under a line, in metres, with their standard deviations; null where none is known.

    The line is straight between its vertices in the register's CRS, in whose metres distances are. At most 5,000
    places, 100 km and 8 series (products times campaigns); without a step or a number there are about 500 places,
    not closer than a cell.
    """
    city = service.city.crs
    frame = named("crs", crs, service.crs_offered)
    line = shape("coords", coords, "LineString", frame, city)
    chosen = _products(products)
    campaigns = epochs_of(epochs, SERIES_MOST)
    if len(chosen) * len(campaigns) > SERIES_MOST:
        raise BadParameter("products", "…", f"at most {SERIES_MOST} products times campaigns")
    wanted = [(product, epoch) for product in chosen for epoch in campaigns]
    with service.reading() as connection:
        most = service.limits.raster_files_most
        files = [rasters_meeting(connection, product, line, epoch=epoch, most=most) for product, epoch in wanted]
    cell = min((file.resolution for found in files for file in found), default=1.0)
    distances, places = places_along(line, _step(float(line.length), step, samples, cell))
    series = [
        _series(product, epoch, found, sampled(found, service.city.folder, service.rasters, places), reference)
        for (product, epoch), found, reference in zip(
            wanted, files, [reference_of(service, product) for product, _ in wanted], strict=True
        )
    ]
    east, north = _back(places, city, frame)
    document = {
        "crs": frame.uri,
        "unit": "m",
        "length": round(float(line.length), 3),
        "count": len(distances),
        "distance": np.round(distances, 3).tolist(),
        "x": east,
        "y": north,
        "series": series,
    }
    return answer(request, json_bytes(document), JSON)


@router.get(
    "/{product}/statistics",
    operation_id="getRasterStatistics",
    summary="Values over a polygon",
    responses={200: {"description": "How the values are distributed.", "content": {JSON: {}}}, **PROBLEMS},
    response_class=Response,
)
def over_polygon(
    request: Request,
    service: ServiceDep,
    product: Annotated[Product, Path(description="Terrain, surface, or height above terrain.")],
    coords: Annotated[
        str,
        Query(
            description="The polygon as WKT, easting or longitude first; it may have holes.",
            examples=["POLYGON((106.693 10.768, 106.696 10.768, 106.696 10.769, 106.693 10.768))"],
        ),
    ],
    crs: Annotated[str | None, Query(description="CRS of `coords`; CRS84 without it.")] = None,
    epoch: Epoch = None,
) -> Response:
    """Least, largest and mean value, spread and percentiles of the cells whose middle lies in a polygon, in metres.

    `sigma` is that of one cell. The rectangle around the polygon holds at most 8 million cells, 2 km² of cells of
    half a metre.
    """
    city = service.city.crs
    polygon = shape("coords", coords, "Polygon", named("crs", crs, service.crs_offered), city)
    wanted = None if epoch is None else plain("epoch", epoch)
    with service.reading() as connection:
        files = rasters_meeting(connection, product, polygon, epoch=wanted, most=service.limits.raster_files_most)
    found = statistics(files, service.city.folder, service.rasters, polygon, city)
    document = {"product": product, "unit": "m", "reference": reference_of(service, product), **found}
    return answer(request, json_bytes(document), JSON)


def _products(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(","))) if len(text) <= 100 else [""]
    if unknown := [name for name in names if name not in get_args(Product)]:
        raise BadParameter("products", ascii(unknown[0][:20])[1:-1], "products are dtm, dsm and ndsm")
    return names


def _step(length: float, step: float | None, samples: int | None, cell: float) -> float:
    if step is not None and samples is not None:
        raise BadParameter("samples", samples, "give either step or samples")
    if not 0 < length <= LENGTH_MOST:
        raise BadParameter("coords", "…", f"the line is longer than 0 and at most {LENGTH_MOST / 1000:g} km long")
    if samples is not None:
        return length / (samples - 1)
    found = max(length / SAMPLES_USUAL, cell) if step is None else step
    if length / found > SAMPLES_MOST - 1:
        raise BadParameter("step", step, f"at most {SAMPLES_MOST} places; the line is {length:.0f} m long")
    return found


def _series(
    product: str, epoch: str | None, files: list[RasterFile], found: Sampled, reference: str | None
) -> dict[str, Any]:
    names = list(dict.fromkeys(file.epoch for file in files))
    of_file = np.array([names.index(file.epoch) for file in files] + [-1])
    return {
        "product": product,
        "reference": reference,
        "epoch": epoch,
        "value": _rounded(found.values),
        "sigma": _rounded(found.sigmas),
        "epochs": names,
        # Which of the campaigns gave each value; −1 where there is none.
        "from": of_file[found.files].tolist(),
    }


def _rounded(values: NDArray[np.float32]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 3) for value in values]


def _back(places: NDArray[np.float64], city: Any, frame: NamedCrs) -> tuple[list[float], list[float]]:
    x, y = transformer(horizontal(city), frame.crs).transform(places[:, 0], places[:, 1])
    return np.round(x, frame.decimals).tolist(), np.round(y, frame.decimals).tolist()
