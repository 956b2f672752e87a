"""Imports point back along tracegen → models → profiling → analysis → experiments, and nowhere else."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("tracegen", "models", "profiling", "analysis", "experiments")
ALLOWED: dict[str, dict[str, set[str] | None]] = {  # folder → what it may import of each folder; None: anything
    "tracegen": {},
    "models": {"tracegen": None},
    "profiling": {},
    "analysis": {"tracegen": None, "models": {"config", "cost"}, "profiling": {"machine", "measurement"}},
    "experiments": dict.fromkeys(FOLDERS[:-1]),
}


def imports(path: Path, root: Path) -> list[tuple[str, ...]]:
    """Absolute module paths, below hotrow, of the relative imports in a file."""
    package = path.relative_to(root).parts[:-1]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = tuple(node.module.split(".")) if node.module else ()
            if module:
                found.append((*base, *module))
            found += [(*base, *module, alias.name) for alias in node.names]
    return found


def violations(path: Path, root: Path) -> list[str]:
    folder = path.relative_to(root).parts[0]
    wrong = []
    for target in imports(path, root):
        if not target or target[0] not in FOLDERS or target[0] == folder:
            continue
        allowed = ALLOWED[folder]
        modules = allowed.get(target[0], set())
        if modules is not None and (len(target) < 2 or target[1] not in modules):
            wrong.append(f"{path.relative_to(root)} imports {'.'.join(target)}")
    return wrong


def sources() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def test_every_import_points_back() -> None:
    assert [line for path in sources() for line in violations(path, ROOT)] == []


@pytest.mark.parametrize(
    ("folder", "line", "wrong"),
    [
        ("tracegen", "from ..analysis.miss_ratio import lru_curve", True),
        ("profiling", "from ..models import dlrm", True),
        ("analysis", "from ..models.dlrm import DLRM", True),
        ("analysis", "from ..models.config import ModelConfig", False),
        ("experiments", "from ..models.dlrm import DLRM", False),
        ("models", "from .. import HotrowError", False),
    ],
)
def test_the_check_sees_a_wrong_import(tmp_path: Path, folder: str, line: str, wrong: bool) -> None:
    file = tmp_path / folder / "some.py"
    file.parent.mkdir()
    file.write_text(line)
    assert bool(violations(file, tmp_path)) is wrong


def test_inside_the_package_imports_are_relative() -> None:
    absolute = []
    for path in [*sources(), *ROOT.glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            absolute += [f"{path}: {name}" for name in names if name.split(".")[0] in {"hotrow", *FOLDERS}]
    assert absolute == []


def test_the_five_folders_have_no_init() -> None:
    assert [str(path) for folder in FOLDERS for path in (ROOT / folder).rglob("__init__.py")] == []
