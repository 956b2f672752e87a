"""The bar: silent unless somebody watches, and it counts what it is told."""

import io
import sys

import pytest

from hotrow import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("quiet", "terminal"), [(True, True), (False, False)])
def test_nothing_is_shown_when_quiet_or_when_nobody_watches(
    quiet: bool, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    with progress.bar("work", "samples", 10, quiet) as advance:
        advance(5)
    assert stream.getvalue() == ""


def test_work_that_lasts_is_shown_with_amount_and_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    with progress.bar("work", "samples", 10) as advance:
        advance(3)
        advance(4)
    assert "7 samples" in stream.getvalue()
    assert "samples/s" in stream.getvalue()


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.bar("work", "samples", 10) as advance:
        advance(10)
    assert stream.getvalue() == ""
