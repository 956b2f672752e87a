"""Specs: which points a grid has, and one clear line for what is wrong with it."""

from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.experiments.measured.workloads import DTYPES
from hotrow.experiments.sweep.spec import CHOICES, DEPENDS, read_spec
from hotrow.models.backends.backends import backends


def spec(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grid.toml"
    path.write_text(text)
    return path


def test_every_combination_is_a_point_once(tmp_path: Path) -> None:
    made = read_spec(spec(tmp_path, 'title = "t"\nseed = 3\n[axes]\nmodel = ["rm1", "rm2"]\nbatch = [1, 16, 16]\n'))
    assert (made.title, made.seed, made.folder) == ("t", 3, tmp_path)
    assert [(p["model"], p["batch"]) for p in made.points] == [("rm1", 1), ("rm1", 16), ("rm2", 1), ("rm2", 16)]
    assert made.points[0]["threads"] == 1  # as nothing else was said


def test_axes_that_do_not_matter_to_a_kind_make_no_points(tmp_path: Path) -> None:
    text = '[axes]\nkind = ["measured", "simulated", "predicted"]\nmachine = ["a", "b"]\nbatch = [1, 2, 3]\n'
    points = read_spec(spec(tmp_path, text)).points
    counts = {kind: sum(p["kind"] == kind for p in points) for kind in DEPENDS}
    assert counts == {"measured": 3, "simulated": 2, "predicted": 6}


def test_what_is_excluded_is_left_out_and_what_is_included_comes_in_any_case(tmp_path: Path) -> None:
    text = """
    [axes]
    batch = [1, 2, 4]
    threads = [1, 2]
    [[exclude]]
    batch = [2, 4]
    threads = 2
    [[include]]
    batch = 4
    threads = [2, 8]
    """
    points = [(p["batch"], p["threads"]) for p in read_spec(spec(tmp_path, text)).points]
    assert points == [(1, 1), (1, 2), (2, 1), (4, 1), (4, 2), (4, 8)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[axes]\nbach = 1", r"grid\.toml: axes\.bach: unknown axis; did you mean 'batch'\?"),
        ("[axes]\nbatch = 0", r"axes\.batch: 0; it must be a whole number from 1 to 65,536"),
        ("[axes]\nbatch = true", "axes.batch: True; it must be a whole number"),
        ("[axes]\nbatch = []", "axes.batch: no settings"),
        ("[axes]\nscale = 2.0", "axes.scale: 2.0; it must be a number above 0, at most 1"),
        ('[axes]\nisa = "avx51"', "axes.isa: 'avx51' is unknown; did you mean 'avx512'"),
        ("[axes]\nmodel = 3", "axes.model: 3; it must be text"),
        ('[[include]]\nkind = "guessed"', r"include\[0\]\.kind: 'guessed' is unknown"),
        ("[axes]\nbatch = 1\n[[exclude]]\nbatch = 1", "no point is left"),
        ("", "no point is left"),
        ("[axes]\nbatch = 1\n[[exclude]]", "name an axis"),
        ("include = 3", r"write it as \[\[include\]\]"),
        ("axes = 3", "axes: 3; it must be a table of axes"),
        ("seed = -1\n[axes]\nbatch = 1", "seed: -1; it must be a whole number"),
        ("title = 1\n[axes]\nbatch = 1", "title: 1; it must be text"),
        ("axis = 3", "axis: unknown; did you mean 'axes'"),
        ("[axes", "is no TOML"),
        (
            f"[axes]\nbatch = {list(range(1, 1001))}\nthreads = {list(range(1, 1001))}",
            "1,000,000 combinations; a sweep has at most 20,000, so narrow its axes",
        ),
    ],
)
def test_a_mistake_is_named_with_file_key_and_rule(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(HotrowError, match=said) as raised:
        read_spec(spec(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path / 'grid.toml'}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('precision = "int4"', 'measured points know fp32, .*with kind = "measured", precision = "int4"$'),
        ('kind = "predicted"\nprecision = "int8-tables"', "predicted points know fp32, bf16, int8 and int4"),
        (
            'mode = ["inference", "training"]\nbackend = ["eager", "fast"]',
            'with .*mode = "training", backend = "fast"$',
        ),
        ('mode = "training"\nprecision = "int8-tables"', "cannot learn"),
        ('backend = "onnx"\nprecision = "bf16"', "bf16 is measured in eager mode"),
        ('backend = ["eager", "fast", "aot"]\nprecision = "int8-tables"', 'backend = "aot", precision = "int8-tables"'),
    ],
)
def test_settings_that_exclude_each_other_are_named_before_anything_runs(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(HotrowError, match=said) as raised:
        read_spec(spec(tmp_path, f"[axes]\n{text}\n"))
    named = dict(part.split(" = ") for part in str(raised.value).partition(" with ")[2].split(", "))
    rule = "".join(f"\n{axis} = {setting}" for axis, setting in named.items())
    kept = f"[axes]\n{text}\n[[exclude]]{rule}\n[[include]]\nkind = 'simulated'"
    assert read_spec(spec(tmp_path, kept)).points


def test_every_backend_and_measured_precision_is_a_setting() -> None:
    assert CHOICES["backend"] == tuple(backend.name for backend in backends())
    assert set(DTYPES) <= set(CHOICES["precision"])


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match=r"none\.toml: cannot be read \(No such file"):
        read_spec(tmp_path / "none.toml")
