"""`diaba lidar`: point clouds in; terrain, buildings and reports out. Each command is a file of its own."""

from __future__ import annotations

import click

from api.cli.common import lazy_group

COMMANDS = {
    "accuracy": ("api.cli.lidar_accuracy", "Vertical accuracy against check points."),
    "add": ("api.cli.lidar_add", "Point files into the catalogue."),
    "build": ("api.cli.lidar_build", "The catalogue's tiles to products in the store."),
    "buildings": ("api.cli.lidar_buildings", "3D models of the buildings in point files."),
    "change": ("api.cli.lidar_change", "Earth moved between two terrains: cut, fill and net volume."),
    "classify": ("api.cli.lidar_classify", "Ground, noise, buildings, vegetation."),
    "contours": ("api.cli.lidar_contours", "Lines of equal height, labelled, as a GeoPackage."),
    "flood": ("api.cli.lidar_flood", "Land under water at a level; hollows in which rain stands."),
    "inspect": ("api.cli.lidar_inspect", "What a point file holds and what is wrong with it."),
    "levelling": ("api.cli.lidar_levelling", "Lots below a level, and the earth to bring them up to it."),
    "pipeline": ("api.cli.pipeline", "A PDAL pipeline, parameters filled in."),
    "terrain": ("api.cli.lidar_terrain", "A raster of the ground, of what stands on it, its shape, its density."),
}
"""Command → module that holds it as `command`, and its line in the help."""


@click.group(cls=lazy_group(COMMANDS))
def command() -> None:
    """Point clouds in; terrain, buildings and reports out.

    \b
    Examples:
      diaba lidar inspect tile.laz
      diaba lidar classify tile.laz classified.laz
      diaba lidar terrain tile.laz dtm.tif
    """
