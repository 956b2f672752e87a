"""What verbs share: figures are written into their folder whatever a table is called."""

from pathlib import Path

from hotrow.analysis import plots
from hotrow.experiments.commands.options import save_figures


def test_figures_stay_in_their_folder_whatever_a_table_is_called(tmp_path: Path) -> None:
    figure = plots.miss_ratio([("a", [1, 10], [0.9, 0.1])])
    save_figures({"lru-/../../x": figure, "lru-a%2Fb": figure, "lru-a/b": figure}, tmp_path / "figures")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    names = ("lru-%2F..%2F..%2Fx", "lru-a%252Fb", "lru-a%2Fb")
    assert found == {f"figures/{name}{suffix}" for name in names for suffix in (".png", ".svg")}
