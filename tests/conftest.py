"""Fixtures that more than one folder of tests uses."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real traces and other programs' results, kept outside the repository; tests that need them skip without."""
    folder = Path(os.environ.get("HOTROW_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "data" / "index.json").is_file():
        pytest.skip(f"no real traces at {folder}; set HOTROW_SHARED to their folder")
    return folder
