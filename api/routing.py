"""All routes of the service, in the order they are tried and described."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    cases,
    change,
    changes,
    city_models,
    collections,
    coverage,
    edits,
    envelopes,
    evidence,
    files,
    flood,
    health,
    items,
    landing,
    models,
    parcels,
    permits,
    point_tiles,
    position,
    profile,
    raster,
    session,
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
        change,
        flood,
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
        envelopes,
        permits,
        position,
        cases,
        evidence,
        session,
        health,
        viewer,
    )
)
