"""kernel: numba compilation as hotrow uses it, kept on disk and announced when it happens."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core import event

Function = TypeVar("Function", bound=Callable[..., Any])
_log = logging.getLogger("hotrow")


def kernel(function: Function) -> Function:
    """Compile `function` on its first call, without the interpreter lock, and keep the machine code on disk.

    A kernel and all that it calls must stand in one file: numba's cache does not notice a change elsewhere.
    """
    compiled: Function = numba.njit(function, cache=True, nogil=True)
    return compiled


def inlined(function: Function) -> Function:
    """Compile `function` into the kernels that call it: for the small steps of a hot loop that take many arrays."""
    compiled: Function = numba.njit(function, nogil=True, forceinline=True)
    return compiled


class _Announcement(event.Listener):
    """Says once per process that numba compiles, so that a slow first call is no riddle."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        if not self.said:
            self.said = True
            _log.warning("compiling kernels for this processor; kept on disk for the next time")

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


event.register("numba:compile", _Announcement())
