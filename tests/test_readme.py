"""The README's commands run, in its order, and print what it shows; ... stands for anything."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def transcript(text: str) -> list[tuple[str, str]]:
    """(command, output shown) of every console block."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether printed is what is shown; runs of blanks count as one."""
    pattern = r".*".join(re.escape(re.sub(r"\s+", " ", part.strip())) for part in shown.split("..."))
    return re.fullmatch(pattern.replace(r"\ ", r"\s+"), re.sub(r"\s+", " ", printed.strip()), re.DOTALL) is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readme")


def run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_prints_what_is_shown(folder: Path) -> None:
    commands = transcript((ROOT / "README.md").read_text())
    assert len(commands) >= 6
    for command, shown in commands:
        program, *arguments = shlex.split(command)
        assert program == "hotrow"
        printed = run(["-m", "hotrow", *arguments], folder)
        assert matches(shown, printed), f"$ {command}\n{printed}\ninstead of\n{shown}"
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(run(["-c", code], folder).splitlines()) == 8


def test_the_check_sees_a_difference() -> None:
    assert matches("a ... c\n", "a  b\nc")
    assert not matches("a ... c\n", "a b d")
    assert not matches("1,000 samples", "1,001 samples")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/benchmarks.md"])
def test_links_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    assert links or page == "CONTRIBUTING.md"
    assert [link for link in links if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_readme_names_every_verb() -> None:
    shown = run(["-m", "hotrow", "--help"], ROOT)
    verbs = set(re.findall(r"^│ (\w+) {2,}", shown.partition("Commands")[2], re.MULTILINE))
    assert verbs >= {"describe", "cache", "convert", "report", "profile", "generate"}
    assert {verb for verb in verbs if f"hotrow {verb}" not in (ROOT / "README.md").read_text()} == set()
