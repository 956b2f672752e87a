"""Fixtures that more than one folder of tests uses."""

import os
import signal
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real traces and other programs' results, kept outside the repository; tests that need them skip without."""
    folder = Path(os.environ.get("HOTROW_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data" / "index.json").is_file():
        pytest.skip(f"no real traces at {folder}; set HOTROW_SHARED to their folder")
    return folder


def pytest_configure() -> None:
    """Let Ctrl-C through to programs that tests start, also where a shell runs the tests in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
