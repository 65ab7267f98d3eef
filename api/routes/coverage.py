"""Rasters as values: a part of the terrain as a GeoTIFF, for programs that compute with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.answers import answer
from api.crs_names import named
from api.dependencies import ServiceDep
from api.errors import PROBLEMS
from api.pictures import Product
from api.query import area, plain
from api.routes.raster import Epoch
from gis.bounds import BoundingBox
from gis.crs import horizontal
from gis.errors import NotFound
from gis.raster import encode_cog, read_over
from gis.store.coverage import rasters_to_read

router = APIRouter(prefix="/raster", tags=["Raster"])

GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


@router.get(
    "/{product}/coverage",
    operation_id="getRasterCoverage",
    summary="Values of a raster",
    responses={
        200: {"description": "A GeoTIFF in the register's CRS.", "content": {"image/tiff": {}}},
        **PROBLEMS,
    },
    response_class=Response,
)
def coverage(
    request: Request,
    service: ServiceDep,
    product: Product,
    bbox: Annotated[
        str | None, Query(description="Cells that touch this box: min, min, max, max; all there are without it.")
    ] = None,
    bbox_crs: Annotated[str | None, Query(alias="bbox-crs", description="CRS of `bbox`; CRS84 without it.")] = None,
    epoch: Epoch = None,
) -> Response:
    """Heights in metres, float32, in the cells they were made in, and their standard deviation as the second band.

    Where campaigns overlap, the newest that knows a cell gives it. The CRS of the file names the vertical datum.
    """
    city, limits = service.city, service.limits
    box = None if bbox is None else area(bbox, named("bbox-crs", bbox_crs, service.crs_offered), city.crs)
    if box is not None and box.is_empty:
        raise NotFound("raster", "in this box")
    bounds = None if box is None else BoundingBox(*box.bounds, crs=horizontal(city.crs))
    with service.reading() as connection:
        files, grid = rasters_to_read(
            connection,
            city,
            product,
            bounds,
            epoch=None if epoch is None else plain("epoch", epoch),
            files_most=limits.raster_files_most,
            cells_most=limits.raster_cells_most,
        )
    body = encode_cog(read_over(files, grid), name=product, crs=city.crs, unit="m")
    return answer(request, body, GEOTIFF, compress=False)
