"""Every benchmark's numbers and ratios, printed together at the end of a run."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

FOUND = pytest.StashKey[list[tuple[str, dict[str, Any]]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FOUND] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Keep what a benchmark put into extra_info, also where it failed half-way."""
    try:
        return (yield)
    finally:
        measured = getattr(getattr(item, "funcargs", {}).get("benchmark"), "extra_info", None)
        if measured:
            item.config.stash[FOUND].append((item.name, dict(measured)))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One line per number."""
    if not config.stash[FOUND]:
        return
    terminalreporter.section("numbers and ratios")
    for name, measured in config.stash[FOUND]:
        terminalreporter.line(name)
        for label, value in measured.items():
            terminalreporter.line(f"  {label}: {_words(value)}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{label} {_words(each)}" for label, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
