"""The scanner meets what a brute-force ray meets, sees what can be seen, and depends on nothing but its seed."""

from dataclasses import replace

import numpy as np
import pytest

from lidar.scene import casting
from lidar.scene.infrastructure import catenary
from lidar.scene.land import Ground, Terrain
from lidar.scene.mesh import Mesh, bin_triangles, prism
from lidar.scene.recipe import Scanner, read_recipe
from lidar.scene.scanner import Flight, Returns, World

SIZE = 150.0
NODES = 300


def terrain(height: float = 2.0, ground: Ground = Ground.CONCRETE) -> Terrain:
    none = np.zeros((NODES, NODES), dtype=bool)
    kinds = np.full((NODES, NODES), ground, dtype=np.uint8)
    return Terrain(np.full((NODES, NODES), height, dtype=np.float32), none, none, none, kinds)


def plain(**changes: float) -> Scanner:
    """A scanner without noise, strip errors or losses."""
    silent = {
        "range_sigma_m": 0.0,
        "angle_sigma_mrad": 0.0,
        "strip_shift_m": 0.0,
        "strip_roll_mrad": 0.0,
        "low_noise_per_100k": 0.0,
        "birds_per_100k": 0.0,
        "drop_share": 0.0,
    }
    return replace(read_recipe("alley").scanner, **{**silent, **changes})


def world(
    land: Terrain | None = None,
    mesh: Mesh | None = None,
    crowns: np.ndarray | None = None,
    wires: np.ndarray | None = None,
) -> World:
    return World(
        SIZE,
        land or terrain(),
        mesh or Mesh.joined([]),
        np.empty((0, 6)) if crowns is None else crowns,
        np.empty((0, 7)) if wires is None else wires,
    )


def fly(place: World, scanner: Scanner, seed: int = 1) -> Returns:
    flight = Flight(place, scanner, seed)
    return Returns.joined([returns for strip in flight.strips for _, returns in flight.returns_of(strip)])


def box(x0: float, y0: float, x1: float, y1: float, low: float, high: float) -> Mesh:
    return prism([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], [low] * 4, [high] * 4, 6, 0)


def test_a_ray_meets_the_triangle_that_brute_force_finds() -> None:
    rng = np.random.default_rng(3)
    centres = rng.uniform([5, 5, 2], [95, 95, 30], (400, 3))
    mesh = Mesh.of(centres[:, None, :] + rng.normal(0, 4, (400, 3, 3)), 6, 0)
    bins = bin_triangles(mesh, 100.0, 1.0)
    hits = 0
    for _ in range(400):
        target = rng.uniform([20, 20, 0], [80, 80, 5])
        origin = np.array([*(target[:2] + rng.uniform(-90, 90, 2)), 300.0])
        d = (target - origin) / np.linalg.norm(target - origin)
        t0, t1 = (60.0 - origin[2]) / d[2], (-20.0 - origin[2]) / d[2]
        found, which = casting.solid_hit(
            mesh.corners, bins.start, bins.items, bins.top, bins.size, bins.n, *origin, *d, t0, t1
        )
        ranges = brute_force(mesh.corners.astype(float), origin, d)
        expected = np.where((ranges > t0) & (ranges < t1), ranges, np.inf).min()
        assert found == pytest.approx(expected, abs=1e-4)
        hits += which >= 0
    assert hits > 100


def brute_force(corners: np.ndarray, origin: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Solve o + t·d = a + u·(b − a) + v·(c − a) for each triangle as a linear system."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    system = np.stack([b - a, c - a, np.broadcast_to(-d, a.shape)], axis=2)
    u, v, t = np.linalg.solve(system, (origin - a)[..., None])[..., 0].T
    return np.where((u >= 0) & (v >= 0) & (u + v <= 1), t, np.inf)


def test_density_is_what_was_asked_for() -> None:
    for density in (2.0, 8.0):
        returns = fly(world(), plain(density_per_m2=density))
        assert len(returns.time) / SIZE**2 == pytest.approx(density, rel=0.12)


def test_without_noise_points_lie_on_the_ground_within_its_roughness() -> None:
    returns = fly(world(), plain(density_per_m2=4.0))
    assert returns.xyz[:, 2].mean() == pytest.approx(2.0, abs=1e-3)
    assert returns.xyz[:, 2].std() < 0.01
    assert set(returns.classes) == {2}


def test_roofs_hide_the_ground_and_narrow_alleys_are_dark() -> None:
    walls = Mesh.joined([box(20, 20, 130, 74.25, 1, 14), box(20, 75.75, 130, 130, 1, 14)])
    scanner = plain(density_per_m2=8.0, strip_spacing_m=300.0, drop_share=0.0)
    returns = fly(world(mesh=walls), scanner)
    x, y = returns.xyz[:, 0], returns.xyz[:, 1]
    ground = returns.classes == 2
    under = ground & (x > 21) & (x < 73) & (y > 21) & (y < 129)
    assert not under.any()
    alley = ground & (y > 74.3) & (y < 75.7) & (x > 30) & (x < 120)
    street = ground & (x < 15)
    seen, in_the_open = alley.sum() / (1.4 * 90), street.sum() / (SIZE * 15)
    assert seen < 0.4 * in_the_open


def test_walls_and_roofs_are_hit_at_their_heights() -> None:
    returns = fly(world(mesh=box(50, 50, 100, 100, 1, 12)), plain(density_per_m2=4.0))
    building = returns.classes == 6
    roof = building & (returns.xyz[:, 2] > 11.9)
    assert roof.sum() > 5000
    assert returns.xyz[roof, 2].mean() == pytest.approx(12.0, abs=2e-3)
    wall = returns.xyz[building & ~roof]
    edge = np.minimum.reduce([abs(wall[:, 0] - 50), abs(wall[:, 0] - 100), abs(wall[:, 1] - 50), abs(wall[:, 1] - 100)])
    assert (edge < 0.3).mean() > 0.95


def test_canopy_gives_several_returns_and_some_ground() -> None:
    crowns = np.array([[75.0, 75.0, 9.0, 20.0, 4.0, 0.35]])
    returns = fly(world(crowns=crowns), plain(density_per_m2=8.0))
    leaf = returns.classes == 5
    under = np.hypot(returns.xyz[:, 0] - 75, returns.xyz[:, 1] - 75) < 10
    assert (returns.of[leaf] > 1).mean() > 0.5
    ground_share = (under & (returns.classes == 2)).sum() / (under & (returns.number == 1)).sum()
    assert 0.05 < ground_share < 0.7
    assert (np.diff(returns.xyz[:, 2])[np.diff(returns.time) == 0] < 0).all()


def test_water_answers_below_the_aircraft_and_hardly_at_the_side() -> None:
    returns = fly(world(terrain(0.5, Ground.WATER)), plain(density_per_m2=8.0))
    dry = fly(world(), plain(density_per_m2=8.0))
    assert set(returns.classes) == {9}
    steep = [(abs(r.angle) < 3).sum() for r in (returns, dry)]
    aside = [(abs(r.angle) > 15).sum() for r in (returns, dry)]
    assert steep[0] / steep[1] > 0.5
    assert aside[0] / aside[1] < 0.1


def test_wires_give_few_returns() -> None:
    pieces = catenary(np.array([5.0, 75.0, 25.0]), np.array([145.0, 75.0, 25.0]), 3.0)
    wires = np.column_stack([pieces, np.full(len(pieces), 0.35)])
    returns = fly(world(wires=wires), plain(density_per_m2=8.0))
    wire = returns.classes == 14
    assert 20 < wire.sum() < 1500
    assert returns.xyz[wire, 2].min() > 21.5


def test_catenary_sags_as_asked_and_is_lowest_in_the_middle() -> None:
    pieces = catenary(np.array([0.0, 0.0, 20.0]), np.array([180.0, 0.0, 20.0]), 5.0)
    z = np.append(pieces[:, 2], pieces[-1, 5])
    assert z.max() - z.min() == pytest.approx(5.0, abs=1e-6)
    assert np.argmin(z) == len(z) // 2
    length = np.linalg.norm(pieces[:, 3:] - pieces[:, :3], axis=1).sum()
    assert length == pytest.approx(180 + 8 * 5.0**2 / (3 * 180), rel=1e-3)


def test_noise_and_strip_errors_have_the_asked_size() -> None:
    returns = fly(world(), plain(range_sigma_m=0.02, strip_shift_m=0.03, density_per_m2=4.0))
    means = [returns.xyz[returns.strip == s, 2].mean() for s in np.unique(returns.strip)]
    spread = [returns.xyz[returns.strip == s, 2].std() for s in np.unique(returns.strip)]
    assert np.std(means) > 0.003
    assert np.mean(spread) == pytest.approx(0.02, abs=0.004)


def test_low_points_and_birds_are_rare_and_marked() -> None:
    returns = fly(world(), plain(low_noise_per_100k=100.0, birds_per_100k=100.0, density_per_m2=8.0))
    low, birds = returns.classes == 7, returns.classes == 18
    assert 60 < low.sum() < 400
    assert 60 < birds.sum() < 400
    assert returns.xyz[low, 2].max() < 2.0 - 0.8
    assert returns.xyz[birds, 2].min() > 9.0


def test_another_seed_gives_other_points() -> None:
    first, second = (fly(world(), plain(density_per_m2=2.0, range_sigma_m=0.02), seed) for seed in (1, 2))
    assert len(first.time) != len(second.time) or not np.allclose(first.xyz, second.xyz)
