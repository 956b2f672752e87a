"""The house holds together: packages, dependencies and pins agree, and the command line starts fast and clean."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def conda_requirements() -> list[str]:
    lines = (ROOT / "environment.yml").read_text().split("- pip:\n")[1].splitlines()
    return [line.strip().removeprefix("- ") for line in lines if line.strip()]


def name_of(requirement: str) -> str:
    for mark in "<>=![ ;":
        requirement = requirement.split(mark)[0]
    return requirement.lower().replace("_", "-")


def test_environment_yml_asks_for_what_pyproject_asks_for() -> None:
    requirements = conda_requirements()
    assert [r for r in requirements if not r.startswith("-e")] == project()["project"]["dependencies"]
    assert "-e .[test]" in requirements


def test_every_dependency_is_pinned() -> None:
    pinned = {name_of(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    extras = project()["project"]["optional-dependencies"]
    wanted = {name_of(r) for r in project()["project"]["dependencies"] + extras["test"] + extras["bench"]}
    assert wanted - pinned == set()


def test_torch_is_pinned_to_the_measured_version() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()


def test_every_folder_with_code_is_a_listed_package() -> None:
    folders = ("tracegen", "models", "profiling", "analysis", "experiments")
    with_code = {path.parent.relative_to(ROOT) for f in folders for path in (ROOT / f).rglob("*.py")}
    listed = set(project()["tool"]["setuptools"]["packages"])
    assert {".".join(("hotrow", *folder.parts)) for folder in with_code} | {"hotrow"} == listed


HEAVY = ("numpy", "torch", "numba", "pyarrow", "scipy", "matplotlib", "pandas")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["report", "--help"], ["describe", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv[1:] = {arguments!r}\n"
        "from hotrow.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "hotrow" in done.stdout
