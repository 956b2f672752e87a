"""A child that calls one step over and over for samplers: `python -m hotrow.profiling.processes.spin REQUEST FOLDER`.

It makes FOLDER/ready once it is warm, goes on until FOLDER/stop exists, then writes when every call began and ended.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from .child import warm

WARM_UP = 3
LOOK_EVERY = 0.02  # seconds between looks for the end


def main(request_file: Path, folder: Path) -> None:
    """Spin the first step of the request's configuration, or the one that its arguments name."""
    _, step = warm(request_file, folder, WARM_UP)
    calls = []
    look = time.monotonic()
    while True:
        began = time.monotonic()
        step()
        ended = time.monotonic()
        calls.append((began, ended))
        if ended - look > LOOK_EVERY:
            look = ended
            if (folder / "stop").exists():
                break
    np.save(folder / "calls.npy", np.array(calls))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
