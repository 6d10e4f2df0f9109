"""Made-up cells for the suites of geometry: coverages without gap and overlap, with as many corners as wanted."""

import numpy as np
import shapely

from geo.cell import Cell

UNIT = 10**7


def irregular_rings(columns, rows, *, step, bends, seed, west=1206200000, south=313000000):
    """Rings of a moved lattice on grid units: every side has ``bends`` inner vertices, shared by both neighbours."""
    dice = np.random.default_rng(seed)
    corner = np.stack(np.meshgrid(np.arange(columns + 1), np.arange(rows + 1), indexing="ij"), axis=-1) * float(step)
    corner += dice.uniform(-0.25, 0.25, corner.shape) * step

    def sides(start, end):
        t = np.linspace(0, 1, bends + 2)[1:-1]
        inner = start[..., None, :] + (end - start)[..., None, :] * t[:, None]
        inner += dice.uniform(-0.25, 0.25, inner.shape) * step / (bends + 1)
        return np.concatenate([start[..., None, :], inner, end[..., None, :]], axis=-2)

    level, upright = sides(corner[:-1], corner[1:]), sides(corner[:, :-1], corner[:, 1:])
    rings = []
    for i in range(columns):
        for j in range(rows):
            ring = [
                level[i, j][:-1], upright[i + 1, j][:-1], level[i, j + 1][:0:-1], upright[i, j][:0:-1],
            ]  # fmt: skip
            rings.append(np.floor(np.concatenate(ring) + 0.5) + np.array([west, south]))
    return rings


def irregular_cells(columns, rows, *, step=20_000, bends=6, seed=1):
    """Cells of a coverage, in shuffled code order; codes of 15 digits."""
    rings = irregular_rings(columns, rows, step=step, bends=bends, seed=seed)
    numbers = np.random.default_rng(seed).permutation(len(rings))
    return [
        Cell(cell_id=f"c{n}", code=f"{110101001001000 + n}", name="", geometry=shapely.Polygon(ring / UNIT))
        for n, ring in zip(numbers, rings, strict=True)
    ]
