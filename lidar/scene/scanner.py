"""The flight: strips over the scene, pulses in runs, points tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, cos, radians, sin, sqrt, tan
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from shapely import Polygon

from lidar.point_cloud import PointCloud
from lidar.scene.casting import MAX_RETURNS
from lidar.scene.land import Ground, Terrain
from lidar.scene.mesh import Bins, Material, Mesh, bin_boxes, bin_triangles
from lidar.scene.pulses import GROUND_MATERIAL, NOISE_MATERIAL, cast
from lidar.scene.randomness import between, stream
from lidar.scene.recipe import Scanner

Array = NDArray[np.float64]

RUN = 250_000
"""Pulses cast at once."""
FIRST_SECOND = 425_427_218.0
"""Adjusted standard GPS time of the start of the flight: 8 March 2025, 00:00 UTC."""
TURN_S = 180.0
"""Between two strips."""
SOLID_BIN_M, CROWN_BIN_M, WIRE_BIN_M = 1.0, 4.0, 4.0
SURFACES: Final = {
    Material.CONCRETE: (900, 0.008),
    Material.TILE: (700, 0.025),
    Material.METAL: (1500, 0.012),
    Material.PAINT: (1100, 0.010),
    Material.GLASS: (180, 0.005),
    Material.STEEL: (420, 0.010),
    Material.LEAF: (620, 0.030),
    Material.CAR: (1000, 0.010),
    Material.CLOTH: (800, 0.020),
    Material.DARK: (70, 0.015),
    NOISE_MATERIAL: (400, 0.0),
    GROUND_MATERIAL + Ground.SOIL: (480, 0.020),
    GROUND_MATERIAL + Ground.ASPHALT: (260, 0.008),
    GROUND_MATERIAL + Ground.CONCRETE: (850, 0.008),
    GROUND_MATERIAL + Ground.GRASS: (640, 0.020),
    GROUND_MATERIAL + Ground.ROUGH_GRASS: (600, 0.030),
    GROUND_MATERIAL + Ground.WATER: (120, 0.010),
    GROUND_MATERIAL + Ground.SAND: (950, 0.020),
}
"""Mean intensity of a single return, and roughness of the surface within the beam (metres), by material."""


@dataclass(frozen=True, slots=True)
class World:
    """What the beams meet; scene frame, metres."""

    size: float
    terrain: Terrain
    mesh: Mesh
    crowns: Array
    """(k, 6): x, y, z of the centre, radius, half height, extinction a metre."""
    wires: Array
    """(k, 7): both ends, and the chance that a beam through its middle returns."""


@dataclass(frozen=True, slots=True)
class Strip:
    """One pass over the scene."""

    number: int
    start: tuple[float, float]
    direction: tuple[float, float]
    length: float
    half_width: float
    shift: tuple[float, float, float]
    roll: float

    def covers(self) -> Polygon:
        """The ground it may touch."""
        (x, y), (dx, dy), w = self.start, self.direction, self.half_width + 5.0
        ends = ((x, y), (x + dx * self.length, y + dy * self.length))
        ring = [
            (ex + s * w * dy, ey - s * w * dx)
            for (ex, ey), sides in zip(ends, ((-1, 1), (1, -1)), strict=True)
            for s in sides
        ]
        return Polygon(ring)


@dataclass(frozen=True, slots=True)
class Returns:
    """n returns in the order of time and range; scene frame."""

    xyz: Array
    classes: NDArray[np.uint8]
    intensity: NDArray[np.uint16]
    angle: NDArray[np.float32]
    number: NDArray[np.uint8]
    of: NDArray[np.uint8]
    time: Array
    strip: NDArray[np.uint16]

    def chosen(self, mask: NDArray[np.bool_]) -> Returns:
        """The returns of a mask."""
        return Returns(*(getattr(self, name)[mask] for name in self.__slots__))

    def cloud(self, origin: tuple[float, float], crs: CRS) -> PointCloud:
        """As points of a CRS in which the scene's south-west corner lies at `origin`, with their true classes."""
        return PointCloud(
            x=self.xyz[:, 0] + origin[0],
            y=self.xyz[:, 1] + origin[1],
            z=self.xyz[:, 2].copy(),
            classification=self.classes,
            intensity=self.intensity,
            return_number=self.number,
            number_of_returns=self.of,
            point_source_id=self.strip,
            gps_time=self.time,
            scan_angle=self.angle,
            confidence=np.zeros(len(self.time), dtype=np.uint8),
            crs=crs,
        )

    @classmethod
    def joined(cls, parts: list[Returns]) -> Returns:
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


def plan_flight(scanner: Scanner, size: float, seed: int) -> list[Strip]:
    """Parallel strips, flown to and fro, as many as reach the scene."""
    rng = stream(seed, "flight")
    heading = radians(between(rng, (2.0, 9.0)))
    dx, dy = cos(heading), sin(heading)
    half_width = scanner.flying_height_m * tan(radians(scanner.half_angle_deg))
    across = size / 2 * (abs(dx) + abs(dy))
    count = max(2, ceil((across + half_width) * 2 / scanner.strip_spacing_m) - 1)
    strips: list[Strip] = []
    for k in range(count):
        offset = (k - (count - 1) / 2) * scanner.strip_spacing_m
        if abs(offset) > across + half_width - 1.0:
            continue
        turn = 1 if len(strips) % 2 == 0 else -1
        run = across + 15.0
        x = size / 2 - offset * dy - turn * run * dx
        y = size / 2 + offset * dx - turn * run * dy
        shift = rng.normal(0.0, scanner.strip_shift_m, 3)
        roll = float(rng.normal(0.0, scanner.strip_roll_mrad)) / 1000
        strips.append(
            Strip(
                len(strips) + 1,
                (x, y),
                (turn * dx, turn * dy),
                2 * run,
                half_width,
                (shift[0], shift[1], shift[2]),
                roll,
            )
        )
    return strips


def _boxes(values: Array, low: list[int], reach: NDArray[np.float64] | None) -> tuple[Array, Array]:
    a = values[:, low[:2]]
    if reach is not None:
        return a - reach[:, None], a + reach[:, None]
    b = values[:, low[2:]]
    return np.minimum(a, b) - 0.6, np.maximum(a, b) + 0.6


def _tuple(bins: Bins) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], float, int]:
    return bins.start, bins.items, bins.top, bins.size, bins.n


class Flight:
    """A scanner over a world: `returns_of(strip)` gives its points, run by run."""

    def __init__(self, world: World, scanner: Scanner, seed: int) -> None:
        self.world, self.scanner, self.seed = world, scanner, seed
        self.strips = plan_flight(scanner, world.size, seed)
        size = world.size
        self.mesh_bins = bin_triangles(world.mesh, size, SOLID_BIN_M)
        crowns, wires = world.crowns, world.wires
        self.crown_bins = bin_boxes(
            *_boxes(crowns, [0, 1], crowns[:, 3]), crowns[:, 2] + crowns[:, 4], size, CROWN_BIN_M
        )
        self.wire_bins = bin_boxes(
            *_boxes(wires, [0, 1, 3, 4], None), np.maximum(wires[:, 2], wires[:, 5]), size, WIRE_BIN_M
        )
        tops = [float(world.terrain.heights.max())]
        tops += [float(b.top.max()) for b in (self.mesh_bins, self.crown_bins, self.wire_bins) if len(b.items)]
        self.top = max(tops)
        swath = 2 * scanner.flying_height_m * tan(radians(scanner.half_angle_deg))
        density = scanner.density_per_m2 * scanner.strip_spacing_m / swath
        self.per_line = max(8, round(swath * sqrt(density)))
        self.line_m = self.per_line / (swath * density)
        self.info = np.column_stack([world.mesh.classes, world.mesh.materials]).astype(np.uint8)

    def pulses(self, strip: Strip) -> int:
        """How many pulses a strip has."""
        return ceil(strip.length / self.line_m) * self.per_line

    @property
    def total_pulses(self) -> int:
        """Of all strips."""
        return sum(self.pulses(strip) for strip in self.strips)

    def returns_of(self, strip: Strip) -> Iterator[tuple[int, Returns]]:
        """Cast a strip; yields (pulses done, their returns)."""
        scanner, world = self.scanner, self.world
        rate = self.per_line * scanner.speed_m_s / self.line_m
        path = np.array([*strip.start, scanner.flying_height_m, *strip.direction, scanner.speed_m_s])
        aim = np.array([radians(scanner.half_angle_deg), scanner.divergence_mrad / 2000])
        noise = np.array(
            [
                scanner.range_sigma_m,
                scanner.angle_sigma_mrad / 1000,
                *strip.shift,
                strip.roll,
                scanner.range_resolution_m,
                scanner.low_noise_per_100k / 1e5,
                scanner.birds_per_100k / 1e5,
                scanner.drop_share,
            ]
        )
        surfaces = np.array([SURFACES[code] for code in range(len(SURFACES))], dtype=np.float64).T.copy()
        scene = np.array([world.size, self.top, float(world.terrain.heights.max())])
        seed = int(stream(self.seed, "pulses", strip.number).integers(1 << 62))
        start = FIRST_SECOND + (strip.number - 1) * (TURN_S + 2 * world.size / scanner.speed_m_s)
        for first in range(0, self.pulses(strip), RUN):
            n = min(RUN, self.pulses(strip) - first)
            xyz = np.empty((n, MAX_RETURNS, 3))
            classes = np.empty((n, MAX_RETURNS), dtype=np.uint8)
            intensity = np.empty((n, MAX_RETURNS))
            angle, count = np.zeros(n), np.zeros(n, dtype=np.int64)
            cast(
                first, n, self.per_line, rate, path, aim, noise, scene, world.terrain.heights, world.terrain.ground,
                world.mesh.corners, self.info, _tuple(self.mesh_bins), world.crowns, _tuple(self.crown_bins),
                world.wires, _tuple(self.wire_bins), surfaces, seed, xyz, classes, intensity, angle, count,
            )  # fmt: skip
            kept = np.arange(MAX_RETURNS)[None, :] < count[:, None]
            pulse, order = np.nonzero(kept)
            yield (
                n,
                Returns(
                    xyz=xyz[kept],
                    classes=classes[kept],
                    intensity=np.clip(intensity[kept], 1, 65535).astype(np.uint16),
                    angle=angle[pulse].astype(np.float32),
                    number=(order + 1).astype(np.uint8),
                    of=count[pulse].astype(np.uint8),
                    time=start + (first + pulse) / rate,
                    strip=np.full(len(pulse), strip.number, dtype=np.uint16),
                ),
            )
