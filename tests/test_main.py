"""The command line: exit codes, one clear line for a mistake, nothing half-written, JSON alone on standard output."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from hotrow import progress
from hotrow.__main__ import main
from hotrow.experiments.commands import caching, traces


def hotrow(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hotrow", *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("traces") / "small.npz"
    rng = np.random.default_rng(0)
    np.savez(path, f0=rng.integers(0, 50, 400), f1=rng.integers(0, 9, 400), t=np.arange(400))
    return path


def bad_files(folder: Path) -> dict[str, bytes]:
    np.savez(folder / "whole.npz", f0=np.arange(100_000))
    np.savez(folder / "lengths.npz", f0=np.arange(3), f1=np.arange(4))
    np.savez(folder / "negative.npz", f0=np.array([1, -2, 3]))
    np.savez(folder / "offsets.npz", f0=np.arange(4), offsets_f0=np.array([0, 3, 2, 4]))
    np.savez(folder / "end.npz", f0=np.arange(4), offsets_f0=np.array([0, 3, 5]))
    return {
        "empty.parquet": b"",
        "garbage.parquet": bytes(range(256)) * 40,
        "cut.npz": (folder / "whole.npz").read_bytes()[:5000],
        "short.tsv": b"1" + b"\t1" * 38 + b"\n",
    }


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("missing.parquet", "no such file"),
        ("empty.parquet", "empty"),
        ("garbage.parquet", "Parquet"),
        ("cut.npz", "npz"),
        ("lengths.npz", "4 samples but"),
        ("negative.npz", "-2"),
        ("offsets.npz", "sample 1"),
        ("end.npz", "offsets end"),
        ("short.tsv", "39"),
    ],
)
def test_a_bad_trace_is_one_line_and_exit_code_1(tmp_path: Path, name: str, what: str) -> None:
    for file, content in bad_files(tmp_path).items():
        (tmp_path / file).write_bytes(content)
    done = hotrow("convert", str(tmp_path / name), str(tmp_path / "out.parquet"))
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert name in line
    assert what in line
    assert not [entry for entry in os.listdir(tmp_path) if "out" in entry]


MISTAKES = [
    (("report", "--preset", "rm4"), "did you mean 'rm"),
    (("profile", "--scale", "-1"), "scale"),
    (("generate", "meta-2020", "x.parquet"), "meta-2021"),
    (("generate", "meta-2021", "x.parquet", "--tables", "9999"), "856"),
    (("convert", "small.npz", "x.xyz"), "suffix"),
    (("convert", "small.npz", "/proc/x.parquet"), "cannot be written"),
    (("report", "--trace", "small.npz", "--out", "/proc/x.html"), "cannot be written"),
    (("cache", "small.npz", "--policies", "LRUX"), "did you mean LRU"),
    (("cache", "small.npz", "--levels", "32"), "size/ways"),
    (("cache", "small.npz", "--levels", "skylak"), "did you mean 'skylake'"),
    (("cache", "small.npz", "--inclusion", "some"), "unknown inclusion 'some'"),
    (("cache", "small.npz", "--tlb", "64K"), "65536 bytes"),
    (("convert", "small.npz", "x.parquet", "--row-bytes", "64"), "--row-bytes does nothing where a trace"),
    (("convert", "small.npz", "x.parquet", "--update-every", "8"), "--update-every does nothing where a trace"),
    (("convert", "small.npz", "x.din", "--lossy"), "--lossy does nothing where an address trace"),
    (("convert", "small.npz", "x.din", "--to-option", "nonsense=3"), "--to-option does nothing"),
    (("cache", "small.npz", "--capacity", "99999999999999999999"), "capacity 99999999999999999999"),
    (("cache", "small.npz", "--sample", "2.5"), "samples of 2.5 rows"),
    (("cache", "small.npz", "--sample", "9", "--levels", "skylake"), "--levels does nothing with --sample"),
    (("cache", "small.npz", "--sample", "9", "--tlb", "4K"), "--tlb does nothing with --sample"),
    (("cache", "small.npz", "--sample", "0.5"), "at most 0.125"),
    (("profile", "--trace", "small.npz", "--batch", "401"), "401"),
    (("profile", "--trace", "small.npz", "--batch", "1,x"), "1,16,64"),
    (("profile", "--trace", "small.npz", "--batch", "2", "--machine", "none.toml"), "none.toml"),
    (("profile", "--trace", "small.npz", "--batch", "2", "--out", "small.npz"), "cannot be written"),
    (("calibrate", "small.npz/here.toml"), "cannot be written"),
    (("profile", "--trace", "small.npz", "--batch", "2", "--axis", "ISA"), "did you mean 'isa'"),
    (("profile", "--trace", "small.npz", "--batch", "2", "--mode", "infer"), "inference"),
    (("profile", "--trace", "small.npz", "--batch", "2", "--threads", "5000"), "5000 threads"),
    (("profile", "--trace", "small.npz", "--batch", "2", "--isa", "avx1024"), "avx1024"),
]


@pytest.mark.parametrize(("arguments", "what"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_1(
    trace: Path,
    arguments: tuple[str, ...],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(trace.parent)
    monkeypatch.setattr(sys, "argv", ["hotrow", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert_one_line(capfd.readouterr().err, what)


@pytest.mark.parametrize(("arguments", "what"), {given[0][0]: given for given in MISTAKES}.values())
def test_a_mistake_of_every_verb_in_a_process_of_its_own(trace: Path, arguments: tuple[str, ...], what: str) -> None:
    done = hotrow(*arguments, cwd=trace.parent)
    assert done.returncode == 1, done.stderr
    assert_one_line(done.stderr, what)


def assert_one_line(errors: str, what: str) -> None:
    lines = [line for line in errors.strip().splitlines() if "compiling kernels" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("hotrow: ")
    assert what in lines[0]


def test_wrong_usage_is_exit_code_2_and_names_the_nearest_verb() -> None:
    done = hotrow("descrbe", "x")
    assert done.returncode == 2
    assert "describe" in done.stderr


@pytest.mark.parametrize("verb", ["describe", "cache", "convert", "profile", "calibrate", "report", "generate"])
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    done = hotrow(verb, "--help")
    assert done.returncode == 0
    assert f"Example: hotrow {verb}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("describe", "small.npz"),
        ("cache", "small.npz"),
        ("cache", "small.npz", "--sample", "20"),
        ("cache", "small.npz", "--levels", "broadwell", "--update-every", "8", "--tlb", "2M"),
        ("convert", "small.npz", "again.parquet"),
        ("convert", "small.npz", "again.din", "--row-bytes", "100", "--update-every", "8"),
        ("profile", "--trace", "small.npz", "--batch", "8", "--processes", "1", "--seconds", "0.05", "--no-stacks"),
        ("report", "--trace", "small.npz", "--batch", "8", "--measure", "steps", "--out", "page.html"),
        ("report", "--compare", "skylake", "genoa", "--trace", "small.npz", "--out", "compared.html"),
        ("generate", "meta-2021", "drawn.parquet", "--samples", "100", "--tables", "2"),
    ],
)
def test_json_is_alone_on_standard_output(trace: Path, arguments: tuple[str, ...]) -> None:
    done = hotrow(*arguments, "--json", cwd=trace.parent)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_figures_are_written_as_svg_and_png(trace: Path, tmp_path: Path) -> None:
    done = hotrow("describe", str(trace), "--out", str(tmp_path / "figures"))
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert {Path(name).stem for name in names} >= {"popularity", "lru"}
    assert {Path(name).suffix for name in names} == {".svg", ".png"}
    assert all(path.stat().st_size > 1000 for path in (tmp_path / "figures").iterdir())


def test_a_sampled_cache_says_what_is_left_out_and_draws_bands(trace: Path, tmp_path: Path) -> None:
    done = hotrow("cache", str(trace), "--sample", "20", "--capacity", "10", "--out", str(tmp_path / "figures"))
    assert done.returncode == 0, done.stderr
    assert "all in one cache" in done.stdout
    assert "10 (2.5 KiB)" in done.stdout
    assert "note: policies, processor caches" in done.stderr
    assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"lru-shared.svg", "lru-tables.png"}


def test_describe_and_a_sampled_cache_say_how_far_they_are(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = []

    @contextmanager
    def bar(what: str, unit: str, total: int | None = None, quiet: bool = False) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        yield done.append
        bars.append((what, unit, total, sum(done)))

    monkeypatch.setattr(progress, "bar", bar)
    traces.describe(str(trace))
    caching.cache(str(trace), sample=20)
    assert bars == [
        ("read", "samples", 400, 400),
        ("describe", "visits of lookups", 1600, 1600),
        ("cache", "samples", 400, 400),
    ]


def test_ctrl_c_leaves_no_file_and_exits_with_130(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hotrow", "generate", "meta-2021", "big.parquet", "--samples", "10000000"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 120
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=120)
    assert child.returncode == 130
    assert errors.strip() == "hotrow: stopped; nothing half-written is left"
    assert list(tmp_path.iterdir()) == []
