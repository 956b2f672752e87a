"""The page of a co-design: the answer first, then a section per question."""

from __future__ import annotations

from ..report import Report
from .answer import answer
from .sections import (
    compression,
    devices,
    machines,
    memory,
    operators,
    origins,
    placement,
    tail,
    traffic,
    trust,
    widths,
)
from .study import CoDesign


def report(result: CoDesign, command: str) -> Report:
    """The page that tells `result`; `command` makes it again."""
    subject = result.subject
    return Report(
        title=f"Co-design report: {subject.config.name} on {subject.name}",
        answer=answer(result),
        sections=(
            traffic.section(result),
            memory.section(result),
            *operators.sections(result),
            *widths.section(result),
            *machines.sections(result),
            *devices.section(result),
            *tail.section(result),
            *placement.section(result),
            compression.section(result),
            trust.section(result),
            *origins.sections(result),
        ),
        made=f"Made by {command}",
        panel=None if result.elsewhere is None else result.elsewhere.panel,
    )
