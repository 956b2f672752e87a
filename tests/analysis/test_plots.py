"""Figures: every series is drawn or said to be left out, axes have units, a file depends on nothing else."""

from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from hotrow.analysis import plots

POINTS = ([1, 10, 100], [0.9, 0.5, 0.1])


def lines(count: int) -> list[tuple[str, list[float], list[float]]]:
    return [(f"s{k}", *POINTS) for k in range(count)]


def legend(figure: Figure) -> list[str]:
    found = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend() is not None)]
    return [text.get_text() for made in found for text in (*made.get_texts(), made.get_title()) if text.get_text()]


@pytest.mark.parametrize("draw", [plots.popularity, plots.reuse_time, plots.miss_ratio])
@pytest.mark.parametrize("count", [1, 8, 9, 16])
def test_every_series_is_drawn_and_told_apart(draw: object, count: int) -> None:
    figure = draw(lines(count))  # type: ignore[operator]
    drawn = figure.axes[0].lines
    assert len(drawn) == count
    assert len({(to_hex(line.get_color()), line.get_linestyle(), line.get_marker()) for line in drawn}) == count
    assert legend(figure) == ([f"s{k}" for k in range(count)] if count > 1 else [])
    assert figure.axes[0].get_xlabel()
    assert "%" in figure.axes[0].get_ylabel()


@pytest.mark.parametrize(
    ("last", "numbers"),
    [(3, {"1", "2", "3"}), (30, {"1", "2", "3", "5", "10", "20", "30"}), (130, {"1", "3", "10", "30", "100"})],
)
def test_a_short_logarithmic_axis_has_numbers_between_powers_of_ten(last: int, numbers: set[str]) -> None:
    assert numbers_along(last) == numbers


def test_a_long_logarithmic_axis_has_powers_of_ten_alone() -> None:
    assert numbers_along(20_000) == {"1", "10", "100", "1 k", "10 k"}


def numbers_along(last: int) -> set[str]:
    axes = plots.miss_ratio([("a", [1, last], [0.9, 0.1])]).axes[0]
    low, high = axes.get_xlim()
    labels = axes.xaxis.get_ticklabels(which="both")
    return {label.get_text() for label in labels if low <= label.get_position()[0] <= high} - {""}


def test_what_the_others_are_compared_with_shows_beneath_them() -> None:
    first, second = plots.miss_ratio(lines(2), reference=True).axes[0].lines
    assert first.get_zorder() <= second.get_zorder()
    assert first.get_linewidth() > 2 * second.get_linewidth()


def test_what_is_left_out_is_counted_and_named() -> None:
    figure = plots.miss_ratio(lines(20), what="policies")
    assert len(figure.axes[0].lines) == 16
    assert legend(figure)[-1] == "the first 16 of 20 policies"
    drift = plots.drift([(f"t{k}", [0.5, 0.5], [0.5, 0.2]) for k in range(20)])
    assert legend(drift)[-1] == "solid: own hot set; dashed: the first; the first 16 of 20 tables"


def test_knee_and_marks_stand_where_they_are() -> None:
    figure = plots.miss_ratio(lines(1), (10, 8, 20), [("Skylake L2", 50)])
    upright = [line.get_xdata()[0] for line in figure.axes[0].lines[1:]]
    assert upright == [10, 50]
    assert {text.get_text().strip() for text in figure.axes[0].texts} == {"knee", "Skylake L2"}


def test_a_knee_without_an_interval_is_a_line_alone() -> None:
    figure = plots.miss_ratio(lines(1), (10, None, None))
    assert [line.get_xdata()[0] for line in figure.axes[0].lines[1:]] == [10]
    assert not figure.axes[0].patches


def test_a_band_is_drawn_around_its_line_in_the_same_colour() -> None:
    low, high = [0.8, 0.4, 0.0], [1.0, 0.6, 0.2]
    figure = plots.miss_ratio(lines(2), bands=[(low, high)])
    (band,) = figure.axes[0].collections
    assert to_hex(band.get_facecolor()[0]) == to_hex(figure.axes[0].lines[0].get_color())
    corners = {(x, round(y)) for x, y in band.get_paths()[0].vertices.tolist()}
    assert corners == {(x, round(100 * y)) for edge in (low, high) for x, y in zip(POINTS[0], edge, strict=True)}


def test_a_heat_map_says_every_number() -> None:
    figure = plots.heat_map(["a", "b"], ["1", "10"], [[0.0, 0.25], [0.5, 1.0]], "hits")
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "25", "50", "100"]


def test_shares_fill_the_bar() -> None:
    figure = plots.stacked_shares(["step"], [("a", [0.25]), ("a backward", [0.75])], "t")
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [25, 75]
    assert bars[0].get_facecolor() == bars[1].get_facecolor()
    assert bars[1].get_hatch()


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_figure_is_the_same_file(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        plots.save(plots.popularity(lines(3)), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_svg_of_a_page_takes_its_colour_and_escapes_its_label() -> None:
    svg = plots.to_svg(plots.popularity([("<script>", *POINTS), ("$x$", *POINTS)]), 'a "label" <b>')
    assert svg.startswith("<svg")
    assert "#000000" not in svg
    assert "currentColor" in svg
    assert "<script>" not in svg
    assert 'aria-label="a &quot;label&quot; &lt;b>"' in svg
    assert "$x$" in svg
