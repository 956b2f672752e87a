"""role: names a part of a step for profilers, at no cost while none is watching."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch.autograd.profiler as autograd_profiler

_UNWATCHED: AbstractContextManager[Any] = nullcontext()


def role(name: str) -> AbstractContextManager[Any]:
    """A range called `name` in a profiler's trace.

    Opening torch's own range costs 7 µs even when nobody profiles, a tenth of a small model's forward pass.
    """
    return autograd_profiler.record_function(name) if autograd_profiler._is_profiler_enabled else _UNWATCHED
