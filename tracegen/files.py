"""read, scan, write: traces on disk, the format found by suffix and content."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from inspect import Parameter, signature
from itertools import chain
from pathlib import Path
from typing import Any

from .. import HotrowError
from ..atomic import replacing
from ..progress import Advance, ignore
from .formats.format import Extent, Format
from .profile import built_in
from .trace import PER_SAMPLE, SampleError, Trace, check_same_form, concatenate

# Modules of the folder formats, each with a FORMAT; the first that recognises a file reads it.
FORMATS = (
    "parquet",
    "npz",
    "criteo_npz",
    "mlperf_multi_hot",
    "mlperf_binary",
    "meta_pt",
    "oracle_general",
    "criteo",
    "benchmark_trace",
    "csv",
)
CHUNK_SAMPLES = 65_536
PART = 1 << 20  # samples at a time where little else is held


def formats() -> dict[str, Format]:
    """Every format by name."""
    return {name: import_module(f".formats.{name}", __package__).FORMAT for name in FORMATS}


def samples_in(path: str | Path, format: str | None = None) -> int | None:
    """About how many samples a trace has, where that is cheap to know; for a progress bar, not for counting."""
    path = Path(path)
    chosen = _reader(path, format)
    try:
        return None if chosen.samples is None else chosen.samples(path)
    except Exception:  # whatever is wrong with the file, reading it says so better
        return None


def read(path: str | Path, format: str | None = None, advance: Advance = ignore, **options: Any) -> Trace:
    """The whole trace in `path`; options are those of its format. `advance` is called with samples as they are read.

    Raises HotrowError with the file, the place in it, and what to do.
    """
    path = Path(path)
    chosen = _reader(path, format)
    if chosen.read is None:
        parts = []
        for part in scan(path, chosen.name, **options):
            parts.append(part)
            advance(part.samples)
        return concatenate(parts)
    options = _checked_options(chosen.name, chosen.read, options)
    with _naming(path, "read"):
        trace = chosen.read(path, **options)
    advance(trace.samples)
    return trace


def scan(path: str | Path, format: str | None = None, samples: int = CHUNK_SAMPLES, **options: Any) -> Iterator[Trace]:
    """Yield the trace in `path` as Traces of at most about `samples` samples; memory does not grow with the file.

    A format that does not declare rows beforehand yields parts whose declared rows rise; the last ones stand.
    """
    if samples < 1:
        raise HotrowError(f"chunks of {samples} samples; at least 1 is needed")
    path = Path(path)
    chosen = _reader(path, format)
    if chosen.scan is None:
        raise HotrowError(f"{path}: {chosen.name} is only written, not read")
    options = _checked_options(chosen.name, chosen.scan, options)
    done = 0
    with _naming(path, "read", lambda: done):
        for part in chosen.scan(path, samples=samples, **options):
            yield part
            done += part.samples


def extent(path: str | Path, format: str | None = None) -> Extent:
    """What the trace in `path` holds, its lookups unread; HotrowError where its format cannot be read in parts."""
    path = Path(path)
    chosen = _in_parts(path, format)
    with _naming(path, "read"):
        return chosen.extent(path)  # type: ignore[misc]


def scan_between(
    path: str | Path, tables: Sequence[int], start: int, stop: int, format: str | None = None, samples: int = PART
) -> Iterator[Trace]:
    """Yield the lookups of some tables in samples start … stop − 1, `samples` at a time or fewer; tables: by number.

    Of Parquet, other columns and row groups are not read; of npz, what lies before is read and dropped.
    HotrowError where the format is not read in parts.
    """
    path = Path(path)
    chosen = _in_parts(path, format)
    done = start
    with _naming(path, "read", lambda: done):
        for part in chosen.between(path, tables, start, stop, samples):  # type: ignore[misc]
            yield part
            done += part.samples


def _in_parts(path: Path, name: str | None) -> Format:
    chosen = _reader(path, name)
    if chosen.extent is None or chosen.between is None:
        able = ", ".join(known.name for known in formats().values() if known.between is not None)
        raise HotrowError(
            f"{path}: {chosen.name} cannot be read in parts ({able} can); hotrow convert makes a .parquet of it"
        )
    return chosen


def write(
    trace: Trace | Iterable[Trace], path: str | Path, format: str | None = None, lossy: bool = False, **options: Any
) -> None:
    """Write a trace, or its parts in order, to `path`: whole or not at all.

    What the format cannot hold is refused, naming it, unless `lossy`. Raises HotrowError.
    """
    path = Path(path)
    chosen = _by_name(format) if format else _by_suffix(path)
    if chosen is None:
        raise HotrowError(f"{path}: no format has this suffix; known are {_suffixes()}, or name one with --format")
    if chosen.write is None:
        raise HotrowError(f"{path}: {chosen.name} is only read, not written; try .parquet")
    options = _checked_options(chosen.name, chosen.write, options)
    source = iter((trace,) if isinstance(trace, Trace) else trace)
    first = next(source, None)
    if first is None:
        raise HotrowError(f"{path}: nothing to write: the trace has no parts")
    if not lossy and (lost := _lost(chosen, first, options.get("table", ""))):
        raise HotrowError(f"{path}: {chosen.name} cannot hold {', '.join(lost)}; allow the loss with --lossy")
    parts = _Parts(first, source)
    with replacing(path) as beside:
        try:
            with _naming(path, "written", lambda: parts.before):
                chosen.write(parts, beside, lossy=lossy, **options)
        except HotrowError as error:
            raise parts.broken or error from None


class _Parts:
    """A trace's parts on their way to a writer: all of one form, and who is to blame when one breaks a rule."""

    def __init__(self, first: Trace, rest: Iterator[Trace]) -> None:
        self._first, self._rest = first, rest
        self.broken: Exception | None = None  # what the source raised, if anything
        self.before = 0  # samples before the part that the writer has in hand

    def __iter__(self) -> Iterator[Trace]:
        done = 0
        try:
            for part in chain((self._first,), self._rest):
                check_same_form(self._first, part)
                self.before = done
                yield part
                done += part.samples
        except Exception as error:
            self.broken = error
            raise


def _options_of(function: Callable[..., Any] | None) -> dict[str, Parameter]:
    if function is None:
        return {}
    parameters = signature(function).parameters.values()
    return {p.name: p for p in parameters if p.kind is Parameter.KEYWORD_ONLY and p.name not in ("samples", "lossy")}


def options(name: str) -> tuple[dict[str, Parameter], dict[str, Parameter]]:
    """What a format lets its caller choose when it is read, and when it is written: parameters by name."""
    chosen = _by_name(name)
    return _options_of(chosen.scan), _options_of(chosen.write)


def _checked_options(name: str, function: Callable[..., Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    """The options as their format takes them; HotrowError for one that it has not, or of another kind."""
    known = _options_of(function)
    checked = {}
    for option, value in given.items():
        if option not in known:
            raise HotrowError(f"{name} has no option {option!r} here; it has {', '.join(known) or 'none'}")
        kind = type(known[option].default)
        if kind is str and isinstance(value, int | Path):
            value = str(value)  # a column called 0, a file
        if type(value) is not kind:
            words = {bool: "true or false", int: "a whole number", str: "text"}
            raise HotrowError(f"{name}, option {option}: {value!r}; it must be {words[kind]}")
        checked[option] = value
    return checked


def recognise(path: str | Path) -> Format | None:
    """The format of an existing file or folder, by content first, then by suffix; None if unknown."""
    path = Path(path)
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(4096)
    by_suffix = _by_suffix(path)
    if by_suffix is not None and by_suffix.sniff(path, head):
        return by_suffix
    return next((format for format in formats().values() if format.sniff(path, head)), by_suffix)


def _reader(path: Path, name: str | None) -> Format:
    if not path.exists():
        near = get_close_matches(str(path), built_in(), n=1)
        hint = f"did you mean the built-in profile {near[0]!r}?" if near else "check the path"
        raise HotrowError(f"{path}: no such file; {hint}")
    if path.is_file() and path.stat().st_size == 0:
        raise HotrowError(f"{path}: the file is empty (0 bytes); make or download it again")
    try:
        chosen = _by_name(name) if name else recognise(path)
    except OSError as error:
        raise HotrowError(f"{path}: cannot be read ({error.strerror})") from error
    if chosen is None:
        raise HotrowError(f"{path}: no known trace format; known are {', '.join(FORMATS)}, name one with --format")
    return chosen


def _by_name(name: str) -> Format:
    if name not in FORMATS:
        raise HotrowError(f"unknown format {name!r}; known are {', '.join(FORMATS)}")
    return formats()[name]


def _by_suffix(path: Path) -> Format | None:
    name = path.name.lower()
    matches = [(len(s), f) for f in formats().values() for s in f.suffixes if name.endswith(s)]
    return max(matches, key=lambda match: match[0])[1] if matches else None


def _suffixes() -> str:
    return ", ".join(suffix for format in formats().values() for suffix in format.suffixes)


def _lost(chosen: Format, trace: Trace, table: str) -> list[str]:
    """What the format cannot hold of the trace, or of its one table to be written."""
    holds = chosen.holds
    tables = (trace.table(table),) if table else trace.tables
    lost = []
    if not holds.tables and len(tables) > 1:
        lost.append(f"{len(tables)} tables (write one of them with the option table)")
    if not holds.bags and any(table.offsets is not None for table in tables):
        lost.append("bags")
    return lost + [name for name in PER_SAMPLE if getattr(trace, name) is not None and not getattr(holds, name)]


@contextmanager
def _naming(path: Path, done: str, before: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Put the file's name in front of a message that does not have it yet, and count samples from the trace's start."""
    try:
        yield
    except HotrowError as error:
        if isinstance(error, SampleError):
            error = error.moved(before())
        raise error if str(path) in str(error) else HotrowError(f"{path}: {error}") from error
    except OSError as error:
        raise HotrowError(f"{path}: cannot be {done} ({error.strerror or error})") from error
