"""A flame graph's boxes add up."""

import xml.etree.ElementTree as ElementTree

import pytest

from hotrow.analysis.flame_graph import flame_graph

STACKS = {
    ("main (a.py:1)", "f<T> (lib.so)"): 6,
    ("main (a.py:1)", "g (b.py:2)", "h"): 3,
    ("main (a.py:1)",): 1,
    ("x",): 0,
}


def test_the_flame_graph_adds_up() -> None:
    root = ElementTree.fromstring(flame_graph(STACKS, 'a "title" <&>'))
    name = "{http://www.w3.org/2000/svg}"
    widths = {g.find(f"{name}title").text: float(g.find(f"{name}rect").get("width")) for g in root.iter(f"{name}g")}
    assert widths["main (a.py:1): 100.0%"] == pytest.approx(1000, abs=1)
    assert widths["f<T> (lib.so): 60.0%"] == pytest.approx(600, abs=1)
    assert widths["h: 30.0%"] == pytest.approx(300, abs=1)
    assert ElementTree.fromstring(flame_graph({}, "nothing")) is not None
