"""Fitting: coefficients from measured operators, by the logarithm of their times, with weak priors.

Capacities, costs per level and overheads of embedding_bag are found together; a layer's costs are non-negative and
linear; what a framework adds to a whole step is fitted on whole steps, the operators' own costs held fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from . import operators
from .costs import LINE, WIDE, Coefficients, Framework, Gather, Level, Linear, Spread
from .operators import Setting
from .residual import features, learn
from .steps import Operator
from .traffic import ReuseCurve
from .vary import vary

Numbers = NDArray[np.float64]
SOFT = 0.15  # errors in ln seconds above which a point counts less
PRIOR = 0.1  # weight of a prior's one standard deviation against one point's error
FRAMEWORK_PRIOR = 0.05
EDGE = 1.2
PAGE_BYTES = {"4 KiB": 4096.0, "2 MiB": 2.0**21}
ALONE = Setting()
LONG = 1024
STARTS = (1.0, 0.5, 0.25)
COVERED = 90.0  # % of the measured points that an interval should hold


@dataclass(frozen=True, eq=False)
class GatherPoint:
    """One measured embedding_bag: its sizes, its own stream's curves, and seconds per call."""

    operator: Operator
    rows: ReuseCurve
    pages: dict[str, ReuseCurve]
    seconds: float

    @cached_property
    def _touched(self) -> dict[str, tuple[Numbers, Numbers]]:
        """Of rows ("") and pages: bytes touched since a use, and the share of lookups that outlast them."""
        op = self.operator
        stream = 4 + 4 * op.n * op.m / max(op.k, 1)
        made = {"": (max(4 * op.n, LINE), stream, self.rows)}
        made |= {page: (PAGE_BYTES[page], 0.0, curve) for page, curve in self.pages.items()}
        return {
            name: (unit * np.array(curve.distinct) + passing * np.array(curve.times), np.array(curve.outlasting))
            for name, (unit, passing, curve) in made.items()
        }

    @cached_property
    def _known(self) -> dict[tuple[str, float, float], float]:
        return {}

    def misses(self, what: str, capacity: float, spread: float = 0.0) -> float:
        """Share of lookups that miss a cache of rows (what: "") or pages; a fit asks for the same again and again."""
        key = (what, capacity, spread)
        if key not in self._known:
            touched, outlasting = self._touched[what]
            at = capacity * np.exp(spread * np.array((-EDGE, 0.0, EDGE))) if spread else capacity
            self._known[key] = float(np.mean(np.interp(at, touched, outlasting)))
        return self._known[key]


@dataclass(frozen=True)
class LinearPoint:
    """One measured layer [m, k] · [k, n]."""

    m: float
    k: float
    n: float
    seconds: float


def gather_seconds(costs: Coefficients, point: GatherPoint) -> tuple[operators.Parts, list[float]]:
    """Seconds by cause of a point without its residual, and the share that misses each cache."""
    shares = [point.misses("", level.capacity, level.spread) for level in costs.levels[:-1]]
    walks = {page: point.misses(page, reach) for page, (reach, _) in costs.gather.walks.items() if page in point.pages}
    return operators.gather(costs, point.operator, partial(point.misses, ""), walks, ALONE), shares


def linear_seconds(costs: Coefficients, point: LinearPoint) -> float:
    """Seconds of a layer on one thread."""
    op = Operator("linear", "linear", "linear", m=point.m, k=point.k, n=point.n)
    return sum(operators.linear(costs, op, ALONE).values())


def fit_gather(costs: Coefficients, points: Sequence[GatherPoint]) -> Coefficients:
    """`costs` with levels and embedding_bag as these points say; the given ones are the prior.

    Starts from several sizes of the last cache, as an edge that lies far off draws nothing towards itself.
    """
    from scipy.optimize import least_squares

    measured = np.log(np.array([point.seconds for point in points]))
    best: tuple[float, Coefficients] | None = None
    for factor in STARTS:
        start = _with_walks(vary(costs, "last cache", factor))
        prior, widths = _vector(start), _widths(start)

        def errors(vector: Numbers, at: Coefficients, prior: Numbers, widths: Numbers) -> Numbers:
            made = _with_vector(at, vector)
            found = np.log([sum(gather_seconds(made, point)[0].values()) for point in points])
            return np.concatenate([found - measured, PRIOR * (vector - prior) / widths])

        ended = least_squares(
            errors, prior, loss="soft_l1", f_scale=SOFT, max_nfev=40, diff_step=1e-3, args=(start, prior, widths)
        )
        if best is None or ended.cost < best[0]:
            best = float(ended.cost), _with_vector(start, ended.x)
    assert best is not None
    return best[1]


def _with_walks(costs: Coefficients) -> Coefficients:
    """The same with walks for both sizes of page, and soft edges, so that they can be fitted."""
    walks = {"4 KiB": (12e6, 4e-9), "2 MiB": (128e6, 8e-9)} | costs.gather.walks
    levels = tuple(
        msgspec.structs.replace(level, spread=level.spread or 0.35) if level.capacity < WIDE else level
        for level in costs.levels
    )
    gather = msgspec.structs.replace(costs.gather, walks=walks, narrow=costs.gather.narrow or costs.gather.lookup / 4)
    return msgspec.structs.replace(costs, gather=gather, levels=levels)


GATHER_FIELDS = (
    ("call", 0.7),
    ("bag", 1.5),
    ("written", 1.0),
    ("lookup", 1.0),
    ("line", 1.0),
    ("exposed", 1.0),
    ("narrow", 1.5),
)


def _vector(costs: Coefficients) -> Numbers:
    """ln of everything that is fitted."""
    values = [getattr(costs.gather, name) for name, _ in GATHER_FIELDS]
    for reach, penalty in costs.gather.walks.values():
        values += [reach, penalty]
    for level in costs.levels[1:]:
        values += [level.first, level.next]
    for level in costs.levels[1:-1]:
        values += [level.capacity, level.spread]
    return np.asarray(np.log(np.array(values)))


def _widths(costs: Coefficients) -> Numbers:
    """Standard deviations of the priors, in ln."""
    values = [width for _, width in GATHER_FIELDS]
    values += [1.0, 1.5] * len(costs.gather.walks)
    values += [1.0, 1.0] * (len(costs.levels) - 1)
    values += [0.6, 0.5] * (len(costs.levels) - 2)
    return np.array(values)


def _with_vector(costs: Coefficients, vector: Numbers) -> Coefficients:
    values = iter(np.exp(vector).tolist())
    fields: dict[str, Any] = {name: next(values) for name, _ in GATHER_FIELDS}
    fields["walks"] = {page: (next(values), next(values)) for page in costs.gather.walks}
    pairs = [(next(values), next(values)) for _ in costs.levels[1:]]
    edges = [(next(values), next(values)) for _ in costs.levels[1:-1]]
    levels: list[Level] = [costs.levels[0]]
    for k, level in enumerate(costs.levels[1:]):
        first, further = pairs[k]
        changed = {"capacity": edges[k][0], "spread": edges[k][1]} if k < len(edges) else {}
        levels.append(msgspec.structs.replace(level, first=first, next=further, **changed))
    return msgspec.structs.replace(costs, gather=Gather(**fields), levels=tuple(levels))


def with_residual(costs: Coefficients, points: Sequence[GatherPoint]) -> Coefficients:
    """`costs` that also know what physics leaves over at these points, and how far to trust the two together."""
    made = [gather_seconds(costs, point) for point in points]
    left_over = np.array(
        [np.log(point.seconds / sum(parts.values())) for point, (parts, _) in zip(points, made, strict=True)]
    )
    described = np.array(
        [features(point.operator, parts, shares) for point, (parts, shares) in zip(points, made, strict=True)]
    )
    residual, outside = learn(described, left_over)
    long = np.array([point.operator.k > LONG for point in points])
    spread = msgspec.structs.replace(costs.spread, gather=interval(outside[~long]), gather_long=interval(outside[long]))
    return msgspec.structs.replace(costs, residual=residual, spread=spread)


def interval(errors: Numbers) -> tuple[float, float]:
    """Factors that hold 90 % of measured over predicted, as these errors in ln do, with room for few points."""
    if not len(errors):
        return 1.0, 1.0
    margin = COVERED + (100 - COVERED) / 2 * min(1.0, 10 / len(errors))
    low, high = np.percentile(errors, (50 - margin / 2, 50 + margin / 2))
    return min(1.0, float(np.exp(low))), max(1.0, float(np.exp(high)))


def wider(factors: tuple[float, float], margin: float) -> tuple[float, float]:
    """The same interval, wider by a factor on both sides."""
    return factors[0] / margin, factors[1] * margin


def fit_linear(points: Sequence[LinearPoint]) -> tuple[Linear, Numbers]:
    """A layer's costs, and ln(measured / predicted) at every point, as large as unseen points' would be."""
    design = np.array([_terms(point) for point in points])
    measured = np.array([point.seconds for point in points])
    found = _non_negative(design, measured)
    call, product, output, into, weight, one, one_weight, pair, column, narrow = found.tolist()
    made = Linear(call, product, output, into, weight, (one, one_weight), pair, (column, narrow))
    errors = np.log(measured / np.maximum(design @ found, 1e-12))
    return made, errors * _unseen(len(errors), int(np.count_nonzero(found)))


def _terms(p: LinearPoint) -> list[float]:
    one, two = float(p.m == 1), float(p.m == 2)
    wide = 16 * np.ceil(p.n / 16)
    return [
        1.0,
        p.m * wide * p.k,
        p.m * p.n,
        p.m * p.k,
        p.n * p.k,
        one,
        one * p.n * p.k,
        two * p.n * p.k,
        float(p.n == 1) * p.m * p.k,
        float(1 < p.n <= 16) * p.m * p.k,
    ]


def _non_negative(design: Numbers, measured: Numbers, rounds: int = 20) -> Numbers:
    """Non-negative coefficients with the least absolute relative error, by reweighted least squares."""
    from scipy.optimize import nnls

    weights = np.ones(len(measured))
    found = np.zeros(design.shape[1])
    for _ in range(rounds):
        scaled = design / measured[:, None] * weights[:, None]
        size = scaled.max(axis=0)
        size[size == 0] = 1.0
        found = nnls(scaled / size, weights)[0] / size
        errors = np.abs(np.log(np.maximum(design @ found, 1e-12) / measured))
        weights = 1 / np.sqrt(np.maximum(errors, 0.05))
    return found


def fit_framework(
    costs: Coefficients, seconds: Callable[[Coefficients], Numbers], measured: Sequence[float]
) -> tuple[Coefficients, Numbers]:
    """`costs` with the framework's as steps say that were measured; `seconds`(costs) predicts all of them [steps].

    Also the errors in ln, as large as those of other steps would be. A step's time is linear in the framework's costs,
    so each is tried once alone.
    """
    from scipy.optimize import least_squares

    names = Framework.__struct_fields__
    nothing = dict.fromkeys(names, 0.0)
    target = np.log(np.array(measured))

    def steps_with(**changed: float) -> Numbers:
        return seconds(msgspec.structs.replace(costs, framework=Framework(**(nothing | changed))))

    fixed = steps_with()
    design = np.stack([steps_with(**{name: 1.0}) - fixed for name in names], axis=1)
    prior = np.log(np.array([getattr(costs.framework, name) for name in names]))

    def predicted(vector: Numbers) -> Numbers:
        return np.log(fixed + design @ np.exp(vector))

    def errors(vector: Numbers) -> Numbers:
        return np.concatenate([predicted(vector) - target, FRAMEWORK_PRIOR * (vector - prior)])

    best = least_squares(errors, prior, loss="soft_l1", f_scale=SOFT, max_nfev=400)
    values = dict(zip(names, np.exp(best.x).tolist(), strict=True))
    errors_left = (target - predicted(best.x)) * _unseen(len(target), len(names))
    return msgspec.structs.replace(costs, framework=Framework(**values)), errors_left


def _unseen(points: int, coefficients: int) -> float:
    """What the errors of fitted points are multiplied by to be those of others: degrees of freedom."""
    return float(np.sqrt(points / max(1, points - coefficients)))


def with_spread(costs: Coefficients, linear: Numbers, inference: Numbers, training: Numbers) -> Coefficients:
    """`costs` with intervals of layers and whole steps from these errors in ln."""
    spread: Spread = msgspec.structs.replace(
        costs.spread, linear=interval(linear), whole=interval(inference), training=interval(training)
    )
    return msgspec.structs.replace(costs, spread=spread)
