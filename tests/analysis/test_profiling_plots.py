"""Figures of what a run costs: drawn without error, labelled, and a flame graph that adds up."""

import io
import xml.etree.ElementTree as ElementTree

import pytest

from hotrow.analysis import profiling_plots as plots

STACKS = {
    ("main (a.py:1)", "f<T> (lib.so)"): 6,
    ("main (a.py:1)", "g (b.py:2)", "h"): 3,
    ("main (a.py:1)",): 1,
    ("x",): 0,
}


def test_figures_are_labelled() -> None:
    figures = [
        plots.steps_over_batch(
            ["1", "64"], [(2e-6, 1e-6, 3e-6)] * 2, [("top", [0.5, 0.6]), ("top backward", [0.5, 0.4])]
        ),
        plots.speedups([("avx2", 1.5, 1.4, 1.7)], "ISA", "native"),
        plots.bands([("64 B", [1, 10], [1, 2], [0.9, 1.8], [1.1, 2.2])] * 2, "bytes", "GB/s", "Gathers"),
        plots.colocation([("pinned, p50", [1, 2], [0.001, 0.002], [0.001, 0.002], [0.002, 0.004])], 0.005),
        plots.latency_over_rate([("1 model, p99", [1, 2], [0.001, 0.002])], 0.005),
        plots.roofline(
            [("top", "1", 0.5, 1e9, 0.9e9, 1.1e9), ("embedding", "16", 0.1, 2e8, 1e8, 3e8)],
            [("MKL", 1e11), ("oneDNN", 2e11)],
            [("cache", 1e11), ("memory", 1e10)],
            "A roofline",
        ),
    ]
    for figure in figures:
        (axes,) = figure.axes
        assert axes.get_xlabel() or axes.get_ylabel()
        assert axes.get_title()
        figure.savefig(io.BytesIO(), format="svg")


def test_the_flame_graph_adds_up() -> None:
    root = ElementTree.fromstring(plots.flame_graph(STACKS, 'a "title" <&>'))
    name = "{http://www.w3.org/2000/svg}"
    widths = {g.find(f"{name}title").text: float(g.find(f"{name}rect").get("width")) for g in root.iter(f"{name}g")}
    assert widths["main (a.py:1): 100.0%"] == pytest.approx(1000, abs=1)
    assert widths["f<T> (lib.so): 60.0%"] == pytest.approx(600, abs=1)
    assert widths["h: 30.0%"] == pytest.approx(300, abs=1)
    assert ElementTree.fromstring(plots.flame_graph({}, "nothing")) is not None
