"""The demo's rings are what a workshop could cast: closed, wound outwards, of the size of a finger."""

from __future__ import annotations

import numpy as np
import pytest

from services.demo.rings import HEADER_BYTES, TRIANGLE, Ring, design


def volume_mm3(ring: Ring) -> float:
    """By the divergence theorem: the signed volumes of the tetrahedra from the origin to each triangle."""
    corners = ring.triangles()
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


@pytest.mark.parametrize("seed", range(8))
def test_every_edge_is_shared_by_two_triangles_that_run_along_it_in_opposite_directions(seed: int) -> None:
    corners = np.round(design(np.random.default_rng(seed)).triangles(), 9)
    points = {tuple(point): number for number, point in enumerate(np.unique(corners.reshape(-1, 3), axis=0))}
    edges = set()
    for triangle in corners:
        a, b, c = (points[tuple(corner)] for corner in triangle)
        for edge in ((a, b), (b, c), (c, a)):
            assert edge not in edges
            edges.add(edge)
    assert all((end, begin) in edges for begin, end in edges)


@pytest.mark.parametrize("seed", range(8))
def test_a_ring_encloses_metal_of_a_plausible_size(seed: int) -> None:
    ring = design(np.random.default_rng(seed))
    assert 50 < volume_mm3(ring) < 2_000
    reach = np.linalg.norm(ring.vertices()[..., :2], axis=-1)
    assert reach.min() == pytest.approx(ring.inner_diameter_mm / 2, abs=0.01)


def test_a_torus_has_the_volume_that_geometry_says() -> None:
    """Pappus: the section's area times the way of its centre."""
    torus = Ring(inner_diameter_mm=18, width_mm=2, thickness_mm=2, squareness=2, around=720, across=180)
    assert volume_mm3(torus) == pytest.approx(np.pi * (2 * np.pi * 10), rel=1e-3)


def test_the_file_is_a_binary_stl_that_says_how_long_it_is() -> None:
    data = Ring(around=90, across=16).stl()
    count = int(np.frombuffer(data, "<u4", 1, HEADER_BYTES)[0])
    assert count == 2 * 90 * 16
    assert len(data) == HEADER_BYTES + 4 + count * TRIANGLE.itemsize


def test_the_same_seed_designs_the_same_ring() -> None:
    assert design(np.random.default_rng(3)).stl() == design(np.random.default_rng(3)).stl()
    assert design(np.random.default_rng(3)) != design(np.random.default_rng(4))
