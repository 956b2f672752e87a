"""Sections: the same model on another machine, which machine serves it best, and what that costs."""

from __future__ import annotations

from ....analysis import plots
from ....analysis.prediction.coefficients import DATASHEET_FACTOR
from ...grid import Grid
from ...prediction import grids as prediction
from ...prediction.figures import figures
from ...report import Picture, Section, picture
from ...which_machine import Ranking
from ..study import CoDesign

CAPTIONS = {
    "predicted-shares": "Shares of a step by batch.",
    "roofline": "The model's parts under the ceilings of several machines, by their datasheets.",
    "what-if": "A step's time when one thing of the machine changes and all else stays.",
}
NEAR = DATASHEET_FACTOR ** (2 * 2**0.5)  # two independent errors of the square of it each, in quadrature
SHOWN = 12  # machines in a figure


def sections(result: CoDesign) -> tuple[Section, ...]:
    """Empty without predictions."""
    if result.elsewhere is None:
        return ()
    return _elsewhere(result), _ranked(result.elsewhere.ranking), _economy(result)


def _elsewhere(result: CoDesign) -> Section:
    assert result.elsewhere is not None
    found = result.elsewhere.answer
    name = found.machine.name
    words = [
        f"Predicted for {name} in inference, from its datasheet, the model's shape and the trace's reuse. The "
        "intervals are wide because nothing of that machine was measured.",
    ]
    if result.elsewhere.error is not None:
        low, high = (prediction.seconds(each) for each in result.elsewhere.error)
        words.append(
            f"The synthetic trace's certified error moves the step at batch {found.middle.batch:,} between {low} and "
            f"{high}, within the prediction's own interval."
            if _small(result)
            else f"The synthetic trace's certified error moves the step at batch {found.middle.batch:,} between {low} "
            f"and {high}, beyond the prediction's own interval."
        )
    drawn = figures(found)
    pictures = tuple(picture(drawn[key], caption, "predicted") for key, caption in CAPTIONS.items() if key in drawn)
    notes = tuple(f"{note[:1].upper()}{note[1:]}." for note in found.notes)
    grids = (prediction.steps_grid(found), prediction.operators_grid(found.middle))
    return Section("elsewhere", f"The same model on {name}", tuple(words), notes, pictures, grids)


def _small(result: CoDesign) -> bool:
    assert result.elsewhere is not None
    step, error = result.elsewhere.answer.middle, result.elsewhere.error
    return error is not None and step.low <= error[0] and error[1] <= step.high


def ranking_words(ranking: Ranking) -> str:
    """The best machines, and how sure that is."""
    best, frugal, cheap = (ranking.best(by) for by in ("samples_per_second", "per_watt", "per_usd"))
    if best is None:
        return "No machine keeps the limit."
    words = f"{best.name} serves most samples per second within {prediction.seconds(ranking.limit)}"
    words += f"; {frugal.name} most per watt" if frugal else ""
    words += f"; {cheap.name} most per dollar of the machine's price" if cheap else ""
    served = [c for c in ranking.candidates if c.failure is None]
    near = sum(NEAR * c.samples_per_second >= best.samples_per_second for c in served)
    return (
        f"{words}. Two predictions from datasheets can differ by a factor of {NEAR:.2g} and mean the same, and {near} "
        f"of the {len(served)} machines that keep the limit are within that of {best.name}: they are not told apart"
    )


def _ranked(ranking: Ranking) -> Section:
    served = [c for c in ranking.candidates if c.failure is None][:SHOWN]
    pictures: tuple[Picture, ...] = ()
    if served:
        figure = plots.bars(
            [c.name for c in served],
            [c.samples_per_second for c in served],
            "samples per second",
            "Whole machines at their best",
        )
        pictures = (picture(figure, f"The {len(served)} that serve most within the limit.", "predicted"),)
    return Section(
        "machines", "Which machine", (f"{ranking_words(ranking)}.",), pictures=pictures, grids=(ranking.grid(),)
    )


def _economy(result: CoDesign) -> Section:
    assert result.elsewhere is not None
    found, ranking = result.elsewhere.answer, result.elsewhere.ranking
    known = sorted((c for c in ranking.candidates if c.per_watt), key=lambda c: -(c.per_watt or 0.0))
    rows = tuple(
        (
            c.name,
            f"{1e6 / c.per_watt:,.3g}" if c.per_watt else "–",
            f"{c.per_watt:,.0f}" if c.per_watt else "–",
            "–" if c.per_usd is None else f"{c.per_usd:,.1f}",
        )
        for c in known
    )
    heads = ("machine", "µJ per sample", "samples/s per W", "samples/s per USD")
    words = (
        "Processors at full power over the samples they serve within the limit, and the bytes that memory moves at its "
        "energy per byte. Prices and some powers are assumed; the machine files say which.",
    )
    grids = (
        prediction.decisions_grid(found),
        Grid("Energy and cost of whole machines at their best, the most frugal first", heads, rows, "predicted"),
    )
    return Section("economy", "Energy and cost", words, grids=grids)
