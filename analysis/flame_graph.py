"""Flame graph: sampled stacks as an SVG element (Gregg 2016, "The Flame Graph")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

Stacks = Mapping[tuple[str, ...], int]

FLAME_WIDTH, FLAME_ROW, FLAME_LETTER = 1000, 16, 6.2
FLAME_LEAST = 0.002  # of all samples: narrower frames cannot be seen
FLAME_COLOURS = {"native": "#E9B44C", "python": "#7FB3D5"}


def flame_graph(stacks: Stacks, title: str) -> str:
    """An SVG element: frames as boxes as wide as their share of samples, callers below callees above them.

    Blue is Python, yellow native. Every box names itself when pointed at. Frames under 0.2 % are left out.
    """
    total = sum(stacks.values()) or 1
    boxes: list[tuple[int, float, float, str]] = []
    _place(sorted(stacks.items()), 0, 0.0, total, boxes)
    depth = 1 + max((level for level, *_ in boxes), default=0)
    height = depth * FLAME_ROW + 24
    safe = escape(title, quote=True)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {FLAME_WIDTH} {height}" role="img" aria-label="{safe}" '
        'font-family="monospace" font-size="10">',
        f'<text x="4" y="14">{safe}</text>',
    ]
    lines += [_box(level, start, share, name, height) for level, start, share, name in boxes]
    return "\n".join([*lines, "</svg>"])


def _place(
    stacks: Sequence[tuple[tuple[str, ...], int]],
    level: int,
    start: float,
    total: int,
    boxes: list[tuple[int, float, float, str]],
) -> None:
    """Boxes (level, start and share of the whole, name) of stacks that agree below `level`."""
    groups: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for stack, count in stacks:
        if len(stack) > level:
            groups.setdefault(stack[level], []).append((stack, count))
    for name, group in groups.items():
        share = sum(count for _, count in group) / total
        if share >= FLAME_LEAST:
            boxes.append((level, start, share, name))
            _place(group, level + 1, start, total, boxes)
        start += share


def _box(level: int, start: float, share: float, name: str, height: int) -> str:
    x, width = start * FLAME_WIDTH, share * FLAME_WIDTH
    y = height - (level + 1) * FLAME_ROW
    colour = FLAME_COLOURS["python" if ".py:" in name or "(<" in name else "native"]
    letters = int(width / FLAME_LETTER) - 1
    text = escape(name if len(name) <= letters else f"{name[: letters - 1]}…") if letters > 3 else ""
    return (
        f'<g><title>{escape(name)}: {share:.1%}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.3):.1f}" '
        f'height="{FLAME_ROW - 1}" fill="{colour}"/><text x="{x + 2:.1f}" y="{y + 11}">{text}</text></g>'
    )
