"""Learning curves: one panel without tests, two with; axes say their units."""

from hotrow.analysis.training_plots import learning_curves


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
