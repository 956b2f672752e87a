"""Stacks: samples of a program's frames, counted; read from py-spy's raw format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

Stack = tuple[str, ...]  # frames, outermost first
PYTHON_FRAME = re.compile(r"\.py:\d+\)$|\(<.*>:\d+\)$|\((libpython|python)[\d.]*[^)]*\)$")
ADDRESS = re.compile(r"0x[0-9a-f]+(?: \(\?\))?")  # of code that no library holds: it was generated while running
GENERATED = "generated code"
SPINNING = re.compile(r"main \((.*/)?spin\.py:\d+\)")  # the frame that calls the step


def collapsed(text: str) -> Counter[Stack]:
    """Stacks of py-spy's raw format: "outer;…;inner count" lines; generated code is one frame, whatever its address."""
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        if frames and count.isdecimal():
            stacks[tuple(map(named, frames.split(";")))] += int(count)
    return stacks


def named(frame: str) -> str:
    """The frame, or that its code was generated where only its address is known."""
    return GENERATED if ADDRESS.fullmatch(frame) else frame


def within_step(stacks: Mapping[Stack, int]) -> Counter[Stack]:
    """The stacks below the loop that spins the step, so that those agree whose outermost frames could not be read."""
    inside: Counter[Stack] = Counter()
    for stack, count in stacks.items():
        loop = max((k for k, frame in enumerate(stack) if SPINNING.fullmatch(frame)), default=-1)
        inside[stack[loop + 1 :] or stack[loop:]] += count
    return inside


def python_share(stacks: Mapping[Stack, int]) -> float | None:
    """Share of samples whose innermost frame is Python code or its interpreter; None without samples."""
    total = sum(stacks.values())
    inside = sum(count for stack, count in stacks.items() if PYTHON_FRAME.search(stack[-1]))
    return inside / total if total else None
