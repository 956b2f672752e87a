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
    return _kept(function, nogil=True)


def inlined(function: Function) -> Function:
    """Compile `function` into the kernels that call it: for the small steps of a hot loop that take many arrays."""
    compiled: Function = numba.njit(function, nogil=True, forceinline=True)
    return compiled


def lean_kernel(function: Function) -> Function:
    """As kernel, for a loop of many small steps that make no array: arrays are passed on without counting references.

    Counting them costs two atomic instructions for every array of every step. It calls nothing but lean_step functions.
    """
    return _kept(function, nogil=True, _nrt=False)


def lean_step(function: Function) -> Function:
    """Compile `function` into the lean kernels that call it."""
    options: dict[str, Any] = {"_nrt": False}  # not among numba's documented options
    compiled: Function = numba.njit(function, nogil=True, forceinline=True, **options)
    return compiled


def _kept(function: Function, **options: Any) -> Function:
    """Compile, and keep the machine code on disk where a folder for it can be written."""
    try:
        compiled: Function = numba.njit(function, cache=True, **options)
    except RuntimeError:  # numba finds no such folder: a read-only package and home
        _Announcement.kept = False
        compiled = numba.njit(function, **options)
    return compiled


class _Announcement(event.Listener):
    """Says once per process that numba compiles, so that a slow first call is no riddle."""

    kept = True  # on disk

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        if not self.said:
            self.said = True
            once = (
                "kept on disk for the next time" if self.kept else "not kept: set NUMBA_CACHE_DIR to a writable folder"
            )
            _log.warning("compiling kernels for this processor; %s", once)

    def on_end(self, event: Any) -> None:
        """Nothing to say."""


event.register("numba:compile", _Announcement())
