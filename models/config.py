"""TableConfig, ModelConfig: what a recommendation model is made of, and the presets that ship with hotrow."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import msgspec

from .. import HotrowError
from ..tracegen.trace import Trace
from .tables import Plain, Storage, Weights
from .tables import TableConfig as TableConfig

Interaction = Literal["dot", "cat", "dcnv2"]

PRESETS = Path(__file__).parent / "presets"
WEIGHT_BYTES = 4  # float32


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DLRM (Naumov et al. 2019, arXiv 1906.00091): two MLPs, embedding tables and how they interact.

    dense: dense features per sample. bottom, top: output widths of the MLPs' layers, the input left out; the
    bottom MLP ends in the embedding dimension and the top MLP in 1. interaction: dot (with interaction_itself,
    every vector also meets itself), cat, or dcnv2 (Wang et al. 2021) with its layers and rank. sigmoid_bottom,
    sigmoid_top: the layer, counted from 0, with a sigmoid in place of a ReLU; none of the bottom MLP and the last of
    the top MLP if not said. source: where these numbers were published.
    Raises HotrowError naming the two widths that do not fit.
    """

    name: str
    dense: int
    bottom: tuple[int, ...]
    top: tuple[int, ...]
    interaction: Interaction
    tables: tuple[TableConfig, ...]
    interaction_itself: bool = False
    cross_layers: int = 0
    cross_rank: int = 0
    sigmoid_bottom: int | None = None
    sigmoid_top: int | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.dense < 1:
            raise HotrowError(f"model {self.name!r}: {self.dense} dense features; at least 1 is needed")
        for field in ("bottom", "top"):
            widths = getattr(self, field)
            if not widths or min(widths) < 1:
                raise HotrowError(f"model {self.name!r}: {field} is {list(widths)}; it needs layers at least 1 wide")
            sigmoid = getattr(self, f"sigmoid_{field}")
            if sigmoid is not None and not 0 <= sigmoid < len(widths):
                raise HotrowError(
                    f"model {self.name!r}: sigmoid_{field} is {sigmoid}; its layers are 0 to {len(widths) - 1}"
                )
        if self.top[-1] != 1:
            raise HotrowError(
                f"model {self.name!r}: the top MLP ends in {self.top[-1]}; it must end in 1, the click's logit"
            )
        self._check_interaction()
        self._check_tables()

    def _check_interaction(self) -> None:
        if self.interaction_itself and self.interaction != "dot":
            raise HotrowError(
                f"model {self.name!r}: interaction_itself belongs to dot, but the interaction is {self.interaction}"
            )
        cross = (self.cross_layers, self.cross_rank)
        if min(cross) < 1 if self.interaction == "dcnv2" else cross != (0, 0):
            raise HotrowError(
                f"model {self.name!r}: cross_layers {cross[0]} and cross_rank {cross[1]}; "
                "dcnv2 needs both, at least 1, and no other interaction has them"
            )

    def _check_tables(self) -> None:
        if not self.tables:
            raise HotrowError(f"model {self.name!r}: no tables; at least one is needed")
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise HotrowError(f"model {self.name!r}: table name {twice!r} stands twice; names must be unique")
        for table in self.tables:
            if table.width > self.dim:
                raise HotrowError(
                    f"model {self.name!r}: table {table.name!r} has dim {table.width} but the bottom MLP ends in "
                    f"{self.dim}; a table may be narrower (then it is projected), not wider"
                )

    @property
    def dim(self) -> int:
        """Width of a pooled vector, which is the bottom MLP's output."""
        return self.bottom[-1]

    @property
    def vectors(self) -> int:
        """Vectors that interact: one per table and the bottom MLP's output."""
        return len(self.tables) + 1

    @property
    def interaction_width(self) -> int:
        """Width of the top MLP's input."""
        if self.interaction != "dot":
            return self.vectors * self.dim
        pairs = self.vectors * (self.vectors + 1 if self.interaction_itself else self.vectors - 1) // 2
        return self.dim + pairs

    @property
    def bottom_layers(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every layer of the bottom MLP."""
        return _layers(self.dense, self.bottom)

    @property
    def top_layers(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every layer of the top MLP."""
        return _layers(self.interaction_width, self.top)

    @property
    def parameters(self) -> int:
        """Weights and biases in all."""
        return self.dense_parameters + sum(table.parameters for table in self.tables)

    @property
    def dense_parameters(self) -> int:
        """Weights and biases outside the tables: MLPs, cross layers, projections."""
        mlps = sum((inputs + 1) * outputs for inputs, outputs in (*self.bottom_layers, *self.top_layers))
        cross = self.cross_layers * (2 * self.cross_rank + 1) * self.interaction_width
        return mlps + cross + sum(table.width * self.dim for table in self.tables if self.projects(table))

    def projects(self, table: TableConfig) -> bool:
        """Whether a table is narrower than the model, so that its pooled bags are projected."""
        return table.width < self.dim

    @property
    def bytes(self) -> int:
        """Bytes of all parameters in float32."""
        return self.parameters * WEIGHT_BYTES

    @property
    def lookups(self) -> float:
        """Mean lookups per sample over all tables."""
        return sum(table.pooling for table in self.tables)

    def scaled(self, factor: float) -> ModelConfig:
        """This model with every table's rows times `factor`, rounded to the nearest and at least 1.

        MLPs, dimensions and pooling stay, so a step does the same arithmetic on smaller tables.
        """
        if not 0 < factor < math.inf:
            raise HotrowError(f"scale {factor}: it must be a finite number above 0, for example 0.1")
        if factor == 1:
            return self
        tables = tuple(table.scaled(factor) for table in self.tables)
        return msgspec.structs.replace(self, name=f"{self.name} × {factor:g}", tables=tables)


def for_trace(config: ModelConfig, trace: Trace) -> ModelConfig:
    """`config` with the tables of `trace`: their names, declared rows (at least 1) and mean bag sizes.

    MLPs, dimension and interaction stay; the number of dense features is the trace's where it has any.
    """
    tables = tuple(TableConfig(table.name, max(1, table.rows), config.dim, table.pooling) for table in trace.tables)
    dense = config.dense if trace.dense is None else trace.dense.shape[1]
    return msgspec.structs.replace(config, tables=tables, dense=dense)


class _TableGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tables that share what is written once; rows and pooling may be lists, one number per table."""

    rows: int | list[int]
    pooling: float | list[float] = 1.0
    count: int | None = None
    dim: int | None = None
    storage: Storage = Plain()
    weights: Weights = "none"


class _PresetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model as its TOML file says it."""

    dense: int
    bottom: tuple[int, ...]
    top: tuple[int, ...]
    interaction: Interaction
    tables: list[_TableGroup]
    interaction_itself: bool = False
    cross_layers: int = 0
    cross_rank: int = 0
    sigmoid_bottom: int | None = None
    sigmoid_top: int | None = None
    source: str = ""


def presets() -> tuple[str, ...]:
    """Names of the models that ship with hotrow."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.toml")))


def load_preset(name: str | Path) -> ModelConfig:
    """The model called `name`, or the one in the TOML file at the path `name`.

    Raises HotrowError that suggests the nearest name, or names the file, the field and the rule.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = PRESETS / f"{name}.toml"
        if str(name) not in presets():
            near = get_close_matches(str(name), presets(), n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise HotrowError(
                f"unknown preset {str(name)!r}; {hint}known are {', '.join(presets())}, or name a .toml file"
            )
    try:
        written = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _PresetFile)
        return _expanded(path.stem, written)
    except OSError as error:
        raise HotrowError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HotrowError(f"{path}: not TOML: {error}") from error
    except ValueError as error:  # msgspec's and our own
        raise HotrowError(f"{path}: {error}") from error


def _expanded(name: str, written: _PresetFile) -> ModelConfig:
    dim = written.bottom[-1] if written.bottom else 1  # without layers ModelConfig complains
    tables: list[TableConfig] = []
    for group in written.tables:
        tables += [
            TableConfig(f"f{len(tables) + k}", rows, group.dim or dim, pooling, group.storage, group.weights)
            for k, (rows, pooling) in enumerate(_columns(group))
        ]
    rest = {field: getattr(written, field) for field in written.__struct_fields__ if field != "tables"}
    return ModelConfig(name=name, tables=tuple(tables), **rest)


def _columns(group: _TableGroup) -> list[tuple[int, float]]:
    """(rows, pooling) of every table in a group."""
    lengths = {len(value) for value in (group.rows, group.pooling) if isinstance(value, list)}
    lengths |= {group.count} if group.count is not None else set()
    if len(lengths) > 1:
        raise HotrowError(f"rows, pooling and count of one group of tables differ in length: {sorted(lengths)}")
    count = lengths.pop() if lengths else 1
    rows = group.rows if isinstance(group.rows, list) else [group.rows] * count
    pooling = group.pooling if isinstance(group.pooling, list) else [group.pooling] * count
    return list(zip(rows, pooling, strict=True))


def _layers(inputs: int, widths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple(zip((inputs, *widths[:-1]), widths, strict=True))
