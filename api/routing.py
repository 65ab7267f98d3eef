"""All routes of the service, in the order they are tried and described."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    cases,
    changes,
    city_models,
    collections,
    coverage,
    edits,
    files,
    health,
    items,
    landing,
    models,
    parcels,
    permits,
    point_tiles,
    profile,
    raster,
    stac,
    terrain,
    tilejson,
    tiles,
    tiles3d,
    tilesets,
    viewer,
    wmts,
)

ROUTERS: tuple[APIRouter, ...] = tuple(
    module.router
    for module in (
        landing,
        collections,
        items,
        edits,
        tilejson,
        tiles,
        tilesets,
        changes,
        coverage,
        profile,
        raster,
        wmts,
        terrain,
        stac,
        files,
        tiles3d,
        point_tiles,
        city_models,
        models,
        parcels,
        permits,
        cases,
        health,
        viewer,
    )
)
