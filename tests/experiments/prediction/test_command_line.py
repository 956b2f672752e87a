"""hotrow predict, as it is typed."""

import json
from pathlib import Path

import numba
import pytest
from typer.testing import CliRunner

from hotrow import HotrowError
from hotrow.__main__ import app

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")

SMALL = ["predict", "--preset", "rm1", "--scale", "0.0005", "--batch", "1,4"]


def run(*words: str) -> str:
    done = CliRunner().invoke(app, [*SMALL, *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_it_prints_tables_and_json_alone() -> None:
    text = run("--machine", "skylake", "--quiet")
    assert "90 % interval" in text
    assert "Sharding over 8 devices" in text
    found = json.loads(run("--machine", "skylake", "--json", "--quiet"))
    assert found["machine"] == "skylake"
    assert [step["batch"] for step in found["steps"]] == [1, 4]


def test_it_writes_figures_and_constraints(tmp_path: Path) -> None:
    run("--machine", "h100", "--mode", "training", "--out", str(tmp_path), "--quiet")
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {"predicted-shares.svg", "roofline.png", "what-if.svg", "torchrec-constraints.json"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--machine", "skylark"), "did you mean 'skylake'"),
        (("--mode", "train"), "it is inference or training"),
        (("--models", "50"), "50 models of 1 threads; machine 'skylake' has 40 cores"),
        (("--limit", "0"), "a latency limit of 0.0 s"),
        (("--isa", "avx9"), "names no unit for fp32 with avx9"),
        (("--batch", "one"), "write whole numbers from 1"),
        (("--validate", "--machine", "h100"), "validation measures this host"),
        (("--fitted", "none.json"), "cannot be read"),
    ],
)
def test_mistakes_are_said_in_a_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(HotrowError, match=said) as raised:
        run(*words, "--out", str(tmp_path))
    assert "\n" not in str(raised.value)
