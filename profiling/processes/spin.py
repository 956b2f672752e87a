"""A child that calls one step over and over for samplers: `python -m hotrow.profiling.processes.spin REQUEST FOLDER`.

It makes FOLDER/ready once it is warm, goes on until FOLDER/stop exists, then writes when every call began and ended.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
import numpy as np

from .child import Request, build, let_look_in, settle

WARM_UP = 3
LOOK_EVERY = 0.02  # seconds between looks for the end


def main(request_file: Path, folder: Path) -> None:
    """Spin the first step of the request's configuration, or the one that its arguments name."""
    let_look_in()
    request = msgspec.json.decode(request_file.read_bytes(), type=Request)
    settle(request)
    workload = build(request.configuration)
    import torch

    torch.set_num_threads(request.configuration.threads)
    step = workload.steps[request.step] if request.step else next(iter(workload.steps.values()))
    for _ in range(WARM_UP):
        step()
    (folder / "ready").touch()
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
