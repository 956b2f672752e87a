"""Figures of what a run costs: drawn without error, labelled."""

import io

from hotrow.analysis import profiling_plots as plots


def test_figures_are_labelled() -> None:
    figures = [
        plots.steps_over_batch(
            ["1", "64"], [(2e-6, 1e-6, 3e-6)] * 2, [("top", [0.5, 0.6]), ("top backward", [0.5, 0.4])], "m, training"
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
        axes = figure.axes[0]
        assert axes.get_xlabel() or axes.get_ylabel()
        assert axes.get_title()
        figure.savefig(io.BytesIO(), format="svg")
