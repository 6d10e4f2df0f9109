"""Borders that meet without sharing their corners: corners of one cell put into the edges of its neighbours.

Only that: no corner moves, none disappears, and an edge bends by at most the tolerance. Overlaps and gaps wider than the
tolerance stay for a person to decide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray


def matched_edges(units: NDArray[Any], *, tolerance: float) -> NDArray[Any]:
    """Cells with the corners of their neighbours put in.

    Parameters
    ----------
    units : ndarray of shapely polygons, shape (n,)
        Valid cells on whole grid units.
    tolerance : float
        Grid units; a corner of another cell nearer than this to an edge, and not at its ends, becomes a corner there.

    Returns
    -------
    ndarray, shape (n,)
        The same objects where nothing was put in. A result may be invalid where two edges lie closer together than the
        tolerance: the caller checks.
    """
    corners, owner = shapely.get_coordinates(units, return_index=True)
    tree = shapely.STRtree(np.asarray(shapely.points(corners), dtype=object))
    result = units.copy()
    for at, cell in enumerate(units):
        parts = [
            shapely.Polygon(
                _noded(part.exterior, at, corners, owner, tree, tolerance),
                [_noded(hole, at, corners, owner, tree, tolerance) for hole in part.interiors],
            )
            for part in shapely.get_parts(cell)
        ]
        if sum(map(shapely.get_num_coordinates, parts)) > shapely.get_num_coordinates(cell):
            result[at] = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    return result


def _noded(ring: Any, at: int, corners: Any, owner: Any, tree: Any, tolerance: float) -> NDArray[np.float64]:
    vertices = shapely.get_coordinates(ring)
    start, end = vertices[:-1], vertices[1:]
    edges = shapely.linestrings(np.stack([start, end], axis=1))
    edge, corner = tree.query(edges, predicate="dwithin", distance=tolerance)
    other = owner[corner] != at
    edge, corner = edge[other], corner[other]
    along, place = end[edge] - start[edge], corners[corner]
    length2 = np.maximum((along**2).sum(axis=1), 1.0)
    share = ((place - start[edge]) * along).sum(axis=1) / length2
    # A corner that is already one of this ring's is no news, nor one that lies beyond the edge's ends.
    own = set(map(tuple, vertices.tolist()))
    is_new = (share > 0) & (share < 1) & np.array([tuple(one) not in own for one in place.tolist()], dtype=bool)
    edge, share, place = edge[is_new], share[is_new], place[is_new]
    order = np.lexsort((place[:, 1], place[:, 0], share, edge))
    woven = np.concatenate([start, place[order]])
    keys = np.concatenate([np.arange(len(start)) * 1.0, edge[order] + share[order]])
    woven = woven[np.argsort(keys, kind="stable")]
    fresh = np.append(True, (woven[1:] != woven[:-1]).any(axis=1))
    closed = woven[fresh]
    return np.concatenate([closed, closed[:1]])
