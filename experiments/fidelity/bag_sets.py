"""Question: on which logs of bags is it tuned which rows stand together, and on which judged? Chosen before tuning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...tracegen.samples.made_bags import histories, lists, prefix_trees, strangers
from ...tracegen.trace import Trace
from .log_sets import Log, load_logs

MAKERS: dict[str, Callable[..., Trace]] = {
    "histories": histories,
    "prefix trees": prefix_trees,
    "lists": lists,
    "strangers": strangers,
}
SAMPLES = 20_000

TUNING_BAGS = (
    Log("histories (made, seed 1)", "histories", 1),
    Log("prefix trees (made, seed 1)", "prefix trees", 1),
    Log("lists (made, seed 1)", "lists", 1),
    Log("strangers (made, seed 1)", "strangers", 1),
)
TEST_BAGS = (
    Log("mooncake_conversation", "mooncake_conversation"),
    Log("tinyshakespeare_words", "tinyshakespeare_words"),
    Log("few users' histories (made, seed 31)", "histories", 31, (("users", 800), ("items", 5_000))),
    Log("many talks (made, seed 32)", "prefix trees", 32, (("talks", 300), ("branching", 0.3))),
)


def load_bags(logs: tuple[Log, ...], folder: Path) -> Iterator[tuple[Log, Trace]]:
    """The logs, each a table of bags; real ones from `folder`."""
    return load_logs(logs, folder, MAKERS, SAMPLES)
