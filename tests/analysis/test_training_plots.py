"""Learning curves: one panel without tests, two with; axes say their units."""

from hotrow.analysis.training_plots import compression_curves, learning_curves


def test_panels_follow_the_numbers() -> None:
    training = [(0.5, 0.7), (1.0, 0.6)]
    alone = learning_curves(training, [], [], [])
    assert len(alone.axes) == 1
    both = learning_curves(training, [(1.0, 0.65)], [(1.0, 0.75)], [(1.0, 0.8)])
    loss, quality = both.axes
    assert loss.get_xlabel() == quality.get_xlabel() == "epochs"
    assert "%" in quality.get_ylabel()
    assert [line.get_label() for line in loss.lines] == ["training", "test"]
    assert quality.lines[0].get_ydata().tolist() == [75.0]


def test_compression_curves_have_a_panel_per_metric_and_column() -> None:
    metrics = {"loss": "loss, test set", "accuracy": "accuracy"}
    columns, names = ["dot", "cat", "dcnv2"], ["fp32", "int4"]
    bands = {
        (metric, column, name): [(1000, 0.5, 0.4, 0.6), (2000, 0.4, 0.3, 0.5)]
        for metric in metrics
        for column in columns
        for name in names
    }
    figure = compression_curves(metrics, columns, names, bands)
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:3]] == columns
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == list(metrics.values())
    for axes in figure.axes:
        assert [line.get_label() for line in axes.lines] == names
        assert list(axes.lines[0].get_xdata()) == [1, 2]
