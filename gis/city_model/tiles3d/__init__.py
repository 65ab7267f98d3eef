"""Measured buildings as 3D Tiles 1.1 (docs.ogc.org/cs/22-025r4): the quadtree, its tiles' content, and its tilesets."""
