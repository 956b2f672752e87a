"""The benchmark's command line: defaults, booleans in both forms, the nearest flag, and flags without a meaning."""

from pathlib import Path

import pytest

from hotrow.models.benchmark_flags import GONE, GROUPS, parse

ROOT = Path(__file__).parents[2]


def test_the_benchmarks_defaults() -> None:
    flags = parse([])
    assert (flags.data_size, flags.mini_batch_size, flags.num_batches, flags.nepochs) == (1, 1, 0, 1)
    assert (flags.learning_rate, flags.optimizer, flags.loss_function) == (0.01, "sgd", "mse")
    assert (flags.num_indices_per_lookup, flags.num_indices_per_lookup_fixed) == (10, False)
    assert (flags.numpy_rand_seed, flags.test_freq, flags.print_freq) == (123, -1, 1)
    assert (flags.md_threshold, flags.md_temperature, flags.qr_threshold, flags.qr_collisions) == (200, 0.3, 200, 4)
    assert flags.given == frozenset()
    assert flags.gone is None


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ([], False),
        (["--round-targets"], True),
        (["--round-targets=True"], True),
        (["--round-targets=False"], False),
        (["--round-targets", "false"], False),
        (["--round-targets", "--debug-mode"], True),
    ],
)
def test_booleans(arguments: list[str], value: bool) -> None:
    assert parse(arguments).round_targets is value


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--data-sise=3"], "unknown argument --data-sise; did you mean --data-size?"),
        (["--mini-batch=3"], "did you mean --mini-batch-size?"),
        (["--zzzzzz"], "unknown argument --zzzzzz; --help"),
        (["--optimizer=adam"], "invalid choice: 'adam'"),
        (["--data-size=many"], "invalid int value: 'many'"),
        (["--debug-mode=maybe"], "'maybe' is neither True nor False"),
        (["--quantize-emb-with-bit=5"], "invalid choice: 5"),
    ],
)
def test_one_line_and_exit_code_two(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(arguments)
    assert stop.value.code == 2
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("\n") == 1


def test_flags_that_no_longer_mean_anything_are_said_in_one_line() -> None:
    gone = parse(["--caffe2-net-type=async_dag", "--onnx-opset", "11", "--num-workers=4", "--nepochs=2"]).gone
    assert gone is not None
    assert gone.startswith("these flags no longer mean anything: --caffe2-net-type (Caffe2 no longer exists)")
    assert "--onnx-opset" in gone
    assert "--num-workers" in gone
    assert "\n" not in gone
    assert "nepochs" not in gone


def test_the_table_in_the_docs_has_every_flag() -> None:
    page = (ROOT / "docs" / "dlrm.md").read_text()
    names = [name for _, flags in GROUPS for name, *_ in flags] + list(GONE)
    assert [name for name in names if f"`--{name}`" not in page] == []
