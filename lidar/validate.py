"""Whether a solid is one after ISO 19107: closed, two-manifold, outward, planar, of simple faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.city_model.building import Solid

PLANARITY = 0.001
"""m: distance a vertex may have from its face's plane."""
SNAP = 1e-6
"""m: vertices nearer to each other than this are one."""


class Defect(StrEnum):
    """What is wrong with a solid; the number is that of val3dity's catalogue."""

    TOO_FEW_POINTS = "101 too few points in a ring"
    REPEATED_POINTS = "102 consecutive points are the same"
    RING_SELF_INTERSECTS = "104 a face's rings intersect themselves or each other"
    NOT_PLANAR = "203 a face is not planar"
    TOO_FEW_FACES = "301 too few faces"
    NOT_CLOSED = "302 the shell has a hole or faces of opposite orientation"
    NON_MANIFOLD_EDGE = "303 an edge belongs to more than two faces"
    NON_MANIFOLD_VERTEX = "304 faces around a vertex form more than one fan"
    SEVERAL_SHELLS = "305 the shell falls into parts"
    INWARD = "405 the normals point inwards"
    NOT_FINITE = "901 a coordinate is not a finite number"


def defects(solid: Solid, planarity: float = PLANARITY) -> tuple[Defect, ...]:
    """What is wrong with the solid; nothing when it is valid.

    Vertices are told apart by position, not by index. Whether faces far from each other cut through each other is
    not looked at: a prism over a valid polygon cannot.

    Args:
        solid: vertices in metres.
        planarity: m, distance a vertex may have from its face's plane.
    """
    vertices = np.asarray(solid.vertices, dtype=np.float64)
    if not np.isfinite(vertices).all():
        return (Defect.NOT_FINITE,)
    if len(solid.faces) < 4:
        return (Defect.TOO_FEW_FACES,)
    identity = _identities(vertices)
    found: dict[Defect, None] = {}
    directed: Counter[tuple[int, int]] = Counter()
    for face in solid.faces:
        for ring in face.rings:
            if len(ring) < 3:
                found[Defect.TOO_FEW_POINTS] = None
                continue
            same = [int(identity[index]) for index in ring]
            following = same[1:] + same[:1]
            if any(a == b for a, b in zip(same, following, strict=True)):
                found[Defect.REPEATED_POINTS] = None
            directed.update(zip(same, following, strict=True))
    if found:
        return tuple(found)
    plain = [face.rings[0] for face in solid.faces if len(face.rings) == 1 and len(face.rings[0]) == 4]
    simple: Iterator[bool] = iter(
        _simple_quadrilaterals(vertices[np.array(plain, dtype=np.int64)], planarity).tolist() if plain else []
    )
    for face in solid.faces:
        if len(face.rings) == 1 and len(face.rings[0]) == 4 and next(simple):
            continue
        found.update(dict.fromkeys(_face_defects([vertices[list(ring)] for ring in face.rings], planarity)))
    found.update(dict.fromkeys(_shell_defects(solid, identity, directed)))
    if not found and signed_volume(solid) <= 0:
        found[Defect.INWARD] = None
    return tuple(found)


def signed_volume(solid: Solid) -> float:
    """Volume in m³ by the divergence theorem; negative when the normals point inwards."""
    vertices = solid.vertices - solid.vertices.mean(axis=0)
    # The sum over a fan of triangles from each ring's first corner; rings of a hole run the other way.
    fans = [(ring[0], ring[k], ring[k + 1]) for f in solid.faces for ring in f.rings for k in range(1, len(ring) - 1)]
    first, second, third = vertices[np.array(fans, dtype=np.int64)].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", np.cross(second, third), first)) / 6.0


def _identities(vertices: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the same number for vertices at the same position."""
    _, identity = np.unique(np.round(vertices / SNAP), axis=0, return_inverse=True)
    return identity.reshape(-1)


def _face_defects(rings: list[NDArray[np.float64]], planarity: float) -> list[Defect]:
    """What is wrong with one face, given its rings' corners (k, 3)."""
    normal = _normal(rings[0])
    if normal is None:
        return [Defect.RING_SELF_INTERSECTS]
    corners = np.concatenate(rings)
    centre = corners.mean(axis=0)
    found = []
    if np.abs((corners - centre) @ normal).max() > planarity:
        found.append(Defect.NOT_PLANAR)
    drop = int(np.argmax(np.abs(normal)))
    flat = [np.delete(ring - centre, drop, axis=1) for ring in rings]
    if not shapely.Polygon(flat[0], flat[1:]).is_valid:
        found.append(Defect.RING_SELF_INTERSECTS)
    return found


def _normal(ring: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Unit normal by Newell's method; None for a ring without area."""
    local = ring - ring[0]
    total = np.cross(local, np.roll(local, -1, axis=0)).sum(axis=0)
    length = float(np.linalg.norm(total))
    return None if length < SNAP * SNAP else total / length


def _simple_quadrilaterals(corners: NDArray[np.float64], planarity: float) -> NDArray[np.bool_]:
    """(k,) whether each ring of four corners (k, 4, 3) is planar and convex, hence simple."""
    sides = np.roll(corners, -1, axis=1) - corners
    turns = np.cross(sides, np.roll(sides, -1, axis=1))
    normals = turns.sum(axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals / np.maximum(length, SNAP * SNAP)
    convex = (np.einsum("kij,kj->ki", turns, normals) > 0).all(axis=1)
    off = np.abs(np.einsum("kij,kj->ki", corners - corners.mean(axis=1, keepdims=True), normals)).max(axis=1)
    return np.asarray(convex & (off <= planarity) & (length[:, 0] > SNAP), dtype=bool)


def _shell_defects(solid: Solid, identity: NDArray[np.int64], directed: Counter[tuple[int, int]]) -> list[Defect]:
    """What is wrong with how the faces hold together."""
    found = []
    if any(count > 1 for count in directed.values()):
        found.append(Defect.NON_MANIFOLD_EDGE)
    if any(directed[(b, a)] != count for (a, b), count in directed.items()):
        found.append(Defect.NOT_CLOSED)
    if found:
        return found
    fans = _fans(solid, identity)
    if any(count > 1 for count in fans.values()):
        found.append(Defect.NON_MANIFOLD_VERTEX)
    if _shells(solid, identity) > 1:
        found.append(Defect.SEVERAL_SHELLS)
    return found


def _fans(solid: Solid, identity: NDArray[np.int64]) -> Counter[int]:
    """How many separate fans of faces meet at each vertex."""
    after: dict[int, dict[int, int]] = {}
    for face in solid.faces:
        for ring in face.rings:
            same = [int(identity[index]) for index in ring]
            for before, at, behind in zip(same[-1:] + same[:-1], same, same[1:] + same[:1], strict=True):
                after.setdefault(at, {})[behind] = before
    fans: Counter[int] = Counter()
    for vertex, steps in after.items():
        left = set(steps)
        while left:
            fans[vertex] += 1
            spoke = left.pop()
            following = steps.get(spoke)
            while following is not None and following in left:
                left.remove(following)
                following = steps.get(following)
    return fans


def _shells(solid: Solid, identity: NDArray[np.int64]) -> int:
    """How many parts the faces form that share no edge."""
    parent = list(range(len(solid.faces)))

    def root(face: int) -> int:
        while parent[face] != face:
            parent[face] = parent[parent[face]]
            face = parent[face]
        return face

    owner: dict[tuple[int, int], int] = {}
    for number, face in enumerate(solid.faces):
        for ring in face.rings:
            same = [int(identity[index]) for index in ring]
            for a, b in zip(same, same[1:] + same[:1], strict=True):
                edge = (min(a, b), max(a, b))
                parent[root(owner.setdefault(edge, number))] = root(number)
    return len({root(face) for face in range(len(solid.faces))})
