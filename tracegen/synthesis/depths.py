"""Depths: the stack distances that an age matrix implies, window by window.

An access at slot t whose row was last seen at s = t − d has stack distance Σ P(reuse time of u > u − s) over the slots
u between: each row there counts once, at its first access after s. None of them is the row itself, whose hazard at age
a is that of reuse times: P(> a) becomes P(> a) / (1 − hazard) = P(> a − 1). The age matrix gives these probabilities in
every window, so no stack distance need ever be measured where privacy matters.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..locality import reuse_edges

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def depth_edges(rows: int) -> Ints:
    """Edges of stack-distance bins, like those of reuse times but from 0: bin b is edges[b] … edges[b+1] − 1."""
    return reuse_edges(rows + 1) - 1


def implied_depths(ages: Floats, length: int, width: int, rows: int) -> Floats:
    """Accesses per window × stack-distance bin, first accesses in the last column; the sums of every window stay.

    ages: accesses per window × reuse bin, first accesses last; width: slots of a window; rows: distinct rows.
    """
    edges = reuse_edges(length).astype(np.float64)
    later = np.cumsum(ages[:, ::-1], 1)[:, ::-1] / width  # P(slot is filled and its reuse time is in bin b or later)
    depth = depth_edges(rows)
    shares = _depth_shares(later, edges, depth.astype(np.float64), width, length)
    out = np.zeros((len(ages), len(depth)))
    out[:, :-1] = np.einsum("kb,kbd->kd", ages[:, :-1], shares)
    out[:, -1] = ages[:, -1]
    return out


def whole(demand: Floats, filled: Ints) -> Ints:
    """Whole numbers per window × bin; a window's sum is its filled slots, rounding errors are carried on."""
    out = np.zeros(demand.shape, np.int64)
    carried = np.zeros(demand.shape[1])
    for k, n in enumerate(filled):
        total = demand[k].sum()
        wanted = carried + (demand[k] / total * n if total > 0 else 0.0)
        positive = np.maximum(wanted, 0)
        scaled = positive * (n / positive.sum()) if positive.sum() > 0 else np.full(len(wanted), n / len(wanted))
        out[k] = np.floor(scaled)
        rest = int(n - out[k].sum())
        out[k][np.argsort(out[k] - scaled, kind="stable")[:rest]] += 1
        carried = wanted - out[k]
    return out


@kernel
def _depth_shares(later: Floats, edges: Floats, depth: Floats, width: int, length: int) -> Floats:
    """P(stack-distance bin | window, reuse bin) from ages spread over bins and starts spread over windows."""
    windows = later.shape[0]
    bins = len(edges) - 1
    shares = np.zeros((windows, bins, len(depth) - 1))
    starts = windows * 3
    for j in range(starts + 1):
        s = 0.0 if j == 0 else (j - 0.5) * width / 3
        mean = 0.0
        spread = 0.0
        y = 0.5
        for b in range(bins):
            points = 1 if edges[b + 1] - edges[b] <= 1 else 3
            for z in range(points):
                d = edges[b] * (edges[b + 1] / edges[b]) ** ((z + 0.5) / points) if points > 1 else edges[b]
                if s + d >= length:
                    break
                while y < d - 0.5 - 1e-9:  # one window, one bin at a time
                    k = min(windows - 1, int((s + y) / width))
                    c = b
                    while c > 0 and y < edges[c] - 1e-9:
                        c -= 1
                    step = min(d - 0.5, (k + 1) * width - s)
                    if c < bins - 1 and edges[c + 1] > y + 1e-9:
                        step = min(step, edges[c + 1])
                    step = max(step, y + 1e-6)
                    part = min(1.0, max(0.0, ((y + step) / 2 - edges[c]) / (edges[c + 1] - edges[c])))
                    f = later[k, c] * (1 - part) + later[k, c + 1] * part
                    mean += f * (step - y)
                    spread += f * (1 - f) * (step - y)
                    y = step
                window = min(windows - 1, int((s + d) / width))
                _spread(shares[window, b], depth, mean, spread)
    for k in range(windows):
        for b in range(bins):
            total = shares[k, b].sum()
            if total > 0:
                shares[k, b] /= total
            else:  # an age that no start on the grid reaches: as deep as can be
                shares[k, b, len(depth) - 2] = 1.0
    return shares


@kernel
def _spread(shares: Floats, depth: Floats, mean: float, variance: float) -> None:
    """Add a normal distribution of that mean and variance, cut into bins of whole numbers."""
    top = len(depth) - 2
    if variance < 1e-6:
        variance = 1e-6
    scale = 1 / math.sqrt(2 * variance)
    low = int(np.searchsorted(depth, mean - 4 * math.sqrt(variance), "right")) - 1
    done = 0.0
    for b in range(max(0, low), top + 1):
        upto = 0.5 * (1 + math.erf((depth[b + 1] - 0.5 - mean) * scale)) if b < top else 1.0
        shares[b] += upto - done
        done = upto
        if upto > 1 - 1e-6:
            shares[b] += 1 - upto
            return
