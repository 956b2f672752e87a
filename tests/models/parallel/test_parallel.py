"""1, 2 and 4 processes have the same losses, tests and weights; a process that dies ends the job with a message."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.parallel.placement import check_placement, place, slices
from hotrow.models.training.state import resume_training

SCRIPT = Path(__file__).with_name("train_in_processes.py")
CONFIG = ModelConfig("m", 1, (2,), (1,), "cat", tuple(TableConfig(f"t{n}", n, 2) for n in (10, 50, 20, 30, 25)))


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_in_processes", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def torchrun(ranks: int, *command: str, timeout: float = 240) -> "subprocess.CompletedProcess[str]":
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*start, *command], capture_output=True, text=True, timeout=timeout, env=environment)


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    module = script()
    results = {}
    for name in module.CASES:
        made = module.trainer(name, False)
        results[name] = module.outcome(made)
        results[name]["weights"] = {key: value.flatten().tolist() for key, value in made.model.state_dict().items()}
    return results


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_processes_share_a_training(ranks: int, alone: dict[str, Any], tmp_path: Path) -> None:
    done = torchrun(ranks, str(SCRIPT), str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads((tmp_path / "out.json").read_text())
    for name, expected in alone.items():
        got = results[name]
        np.testing.assert_allclose(got["losses"], expected["losses"], rtol=0, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(got["tests"], expected["tests"], rtol=0, atol=1e-5, err_msg=name)
        assert got["weights"].keys() == expected["weights"].keys()
        for key, value in expected["weights"].items():
            np.testing.assert_allclose(got["weights"][key], value, rtol=0, atol=1e-4, err_msg=f"{name} {key}")
        times = got["times"]
        assert [part["rank"] for part in times] == list(range(ranks))
        assert sorted(k for part in times for k in part["tables"]) == list(range(len(script().CASES[name][1])))
        assert all(part["batches"] > 0 and part["exchange"] > 0 and part["mlp"] > 0 for part in times)
    assert results["resumed"]["again"] == results["resumed"]["whole"], "a resumed training is exactly the same"
    single = script().trainer("bags", False)
    resume_training(tmp_path / "state.safetensors", single, {})
    assert single.progress.batch == 3
    losses = script().outcome(single)["losses"]
    np.testing.assert_allclose(losses, alone["bags"]["losses"], rtol=0, atol=1e-5)


def test_a_process_that_dies_ends_the_job_with_a_message(tmp_path: Path) -> None:
    dying = tmp_path / "dying.py"
    dying.write_text(
        f"import os, sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import train_in_processes as t\n"
        "from hotrow import HotrowError\n"
        "from hotrow.models.parallel.training import process_group\n"
        "try:\n"
        "    with process_group():\n"
        "        made = t.trainer('dot', True)\n"
        "        for number, _ in enumerate(made.run()):\n"
        "            if number == 1 and os.environ['RANK'] == '1': os._exit(9)\n"
        "except HotrowError as error: print('SAID', error, flush=True); sys.exit(1)\n"
    )
    done = torchrun(2, str(dying), timeout=100)
    assert done.returncode != 0
    assert "SAID rank 0: another process of the job is gone or silent" in done.stdout


def test_tables_go_where_there_is_least() -> None:
    assert place(CONFIG, 2, "round-robin") == (0, 1, 0, 1, 0)
    assert place(CONFIG, 2, "bytes") == (1, 0, 0, 1, 1)
    assert place(CONFIG, 8, "bytes") == (4, 0, 3, 1, 2)
    with pytest.raises(HotrowError, match="unknown placement 'best'; known are bytes, round-robin"):
        place(CONFIG, 2, "best")  # type: ignore[arg-type]
    with pytest.raises(HotrowError, match=r"table 't50' is placed on rank 2; ranks are 0 to 1"):
        check_placement(CONFIG, (0, 2, 0, 0, 0), 2)
    with pytest.raises(HotrowError, match="a placement of 1 tables; model 'm' has 5"):
        check_placement(CONFIG, (0,), 2)


@pytest.mark.parametrize("samples", [0, 1, 3, 8, 22])
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_slices_cover_a_batch_evenly(samples: int, ranks: int) -> None:
    bounds = slices(samples, ranks)
    assert [k for start, stop in bounds for k in range(start, stop)] == list(range(samples))
    sizes = [stop - start for start, stop in bounds]
    assert max(sizes) - min(sizes) <= 1
