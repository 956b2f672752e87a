"""TraceProfile: what a trace is like, as statistics alone; characterize measures it exactly."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from .. import HotrowError, __version__
from ..atomic import replacing
from .packed import Packed
from .popularity import Spectrum
from .samples.coupling import Coupling
from .samples.layout import Layout
from .trace import Trace

VERSION = 6  # 3 had no coupling, page counts or layouts, 4 no kin, 5 no shared tables, and another calibration
CALIBRATED = 6  # the first version whose calibrations are still used

Design = Literal["independent", "renewal", "depthband"]
Trust = Literal["mixed", "raw", "prior"]


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A way to generate from the same statistics.

    design: independent draws; renewal (rows draw their own intervals); depthband (windows say how deep, rows who).
    windows: whether hot rows follow their released activity. spans: how far noisy spans are trusted. chains: whether
    rows that arrive together stay together (renewal alone).
    """

    design: Design = "independent"
    windows: bool = True
    spans: Trust = "mixed"
    chains: bool = False

    def label(self) -> str:
        """A short name for tables."""
        if self.design == "independent":
            return self.design
        extras = f"{'' if self.windows else ', no windows'}{', chains' if self.chains else ''}"
        return f"{self.design}, {self.spans} spans{extras}"


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the released statistics say about the generated trace; nothing here has seen the real one.

    claim: mean absolute difference of LRU miss ratios between the statistics' prediction and the generated trace;
    floor: the prediction's own error, as far as known; drift: released against generated hot windows; pairs: the
    same for consecutive reuse times; vouches: whether claim + floor is offered as an error estimate; note: why or why
    not.
    """

    claim: float
    floor: float
    drift: float
    pairs: float
    vouches: bool
    note: str
    candidates: tuple[str, ...] = ()

    @property
    def estimate(self) -> float:
        """The LRU error to expect at most, if `vouches`."""
        return self.claim + self.floor


class TableLocality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Temporal statistics of a table on its clock of `samples` × `per_sample` slots, with noise where private.

    noise: standard deviation per statistic, 0 where exact. Shapes and meanings stand in release.py. pages: None in
    files of version 3; steps, contents, kin, repeats: of bags alone, the latter two None before version 5; owners,
    mixes, passes: of shared tables alone, which have no steps, contents, kin or repeats.
    """

    samples: int
    per_sample: int
    reuse: Packed
    ages: Packed
    deaths: Packed
    spans: Packed
    births: Packed
    pairs: Packed
    windows: Packed
    noise: dict[str, float]
    pages: Packed | None = None
    steps: Packed | None = None
    contents: Packed | None = None
    kin: Packed | None = None
    repeats: Packed | None = None
    owners: Packed | None = None
    mixes: Packed | None = None
    passes: Packed | None = None

    @property
    def length(self) -> int:
        """Slots of the clock."""
        return self.samples * self.per_sample


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the renewal design found when its intervals were calibrated, kept so that generating takes one pass.

    laws: of intervals by octave of a row's mean × reuse bin, in millionths; lifts: how much likelier an interval's
    octave is after another's than alone, octave before × octave, in thousandths.
    """

    laws: Packed
    lifts: Packed


class FeatureProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the features that share a table. column: its place in the log; per_sample: its slots; one_hot: whether it
    has one lookup in every sample; sizes: (lookups in a sample, samples); steps: of bags alone, as in TableLocality."""

    name: str
    column: int
    per_sample: int
    one_hot: bool
    sizes: Spectrum
    steps: Packed | None = None

    @property
    def samples(self) -> int:
        """Samples."""
        return sum(times for _, times in self.sizes)

    @property
    def accesses(self) -> int:
        """Lookups."""
        return sum(size * times for size, times in self.sizes)


class TableProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table: declared rows; counts: (lookups, rows with so many); bags: (bag size, samples), None if one-hot or
    shared.

    locality: what a generator with temporal order needs; variant: how to generate; certificate: what it promises;
    calibration: of the renewal design, found anew by every generation where it is None; demand: how much more lookups
    the depth band asks of every stack-distance bin than the ages imply, in thousandths; layout: of row numbers.
    features: those that share the table, in the order of their slots, whose bags are told apart; none where it has one
    alone. lifts: how lookups of a shared table are chosen (see sharing/filling.py), found anew where it is None.
    """

    name: str
    rows: int
    counts: Spectrum
    bags: Spectrum | None = None
    locality: TableLocality | None = None
    variant: Variant = Variant()
    certificate: Certificate | None = None
    calibration: Calibration | None = None
    demand: Packed | None = None
    layout: Layout = "random"
    features: tuple[FeatureProfile, ...] = ()
    lifts: Packed | None = None

    def __post_init__(self) -> None:
        for field, pairs, least in (("counts", self.counts, 1), ("bags", self.bags or (), 0)):
            for value, times in pairs:
                if value < least or times < 1:
                    raise ValueError(f"table {self.name!r}, {field}: ({value}, {times}); pairs start at ({least}, 1)")
        if self.distinct > self.rows:
            raise ValueError(f"table {self.name!r}: {self.distinct} rows looked up of {self.rows} declared")
        if self.bags is not None and self.accesses != sum(size * times for size, times in self.bags):
            raise ValueError(f"table {self.name!r}: counts and bags differ in their number of lookups")
        if self.features and (
            self.bags is not None
            or len({feature.samples for feature in self.features}) > 1
            or self.accesses != sum(feature.accesses for feature in self.features)
        ):
            raise ValueError(f"table {self.name!r}: its features differ in their samples, or from its lookups")
        if self.variant.design != "independent" and self.locality is None:
            raise ValueError(f"table {self.name!r}: the design {self.variant.design!r} needs locality statistics")

    @property
    def distinct(self) -> int:
        """Rows that were looked up."""
        return sum(rows for _, rows in self.counts)

    @property
    def accesses(self) -> int:
        """Lookups."""
        return sum(count * rows for count, rows in self.counts)

    @property
    def samples(self) -> int:
        """Samples."""
        if self.features:
            return self.features[0].samples
        return self.accesses if self.bags is None else sum(times for _, times in self.bags)


class Spent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One noisy statistic of one table: sensitivities (L1, L2²) of a unit, noise scale, and its cost (ε or ρ)."""

    table: str
    statistic: str
    cells: int
    l1: int
    l2_squared: int
    scale: float
    cost: float


class PrivacyHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was promised, to whom, and how it was paid for. rho: the zCDP cost, None for the laplace mechanism.

    epsilon, delta: the guarantee asked for; epsilon_spent: what OpenDP's accounting adds up to.
    """

    unit: str
    epsilon: float
    delta: float
    epsilon_spent: float
    rho: float | None
    mechanism: str
    library: str
    samples_per_user: int | None
    lookups_per_sample: int
    protected: str
    not_protected: str
    spent: tuple[Spent, ...]


class TraceProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Statistics of a trace. origin: exact (measured, not private), published (aggregates), private (with noise).

    source: where the numbers come from. assumptions: what the profile does not know and how the gap is filled.
    coupling: what samples hold together, None for tables that know nothing of each other.
    checksum: SHA-256 of everything else, in files.
    """

    name: str
    origin: Literal["exact", "published", "private"]
    source: str
    samples: int
    tables: tuple[TableProfile, ...]
    assumptions: tuple[str, ...] = ()
    privacy: PrivacyHeader | None = None
    coupling: Coupling | None = None
    attribution: str = ""
    version: int = VERSION
    written_by: str = f"hotrow {__version__}"
    checksum: str = ""

    def __post_init__(self) -> None:
        if self.version > VERSION:
            raise ValueError(_newer(self.version))
        if (self.origin == "private") != (self.privacy is not None):
            raise ValueError(f"origin {self.origin!r}; a private profile, and no other, has a privacy header")
        if self.coupling is not None and sorted(self.coupling.order) != list(range(len(self.tables))):
            raise ValueError(f"the coupling orders tables {self.coupling.order}; the profile has {len(self.tables)}")
        columns = [feature.column for table in self.tables for feature in table.features]
        if len(set(columns)) < len(columns) or any(not 0 <= c < len(columns) + len(self.tables) for c in columns):
            raise ValueError(f"features that share tables stand at places {columns}; they must differ")
        for table in self.tables:
            if table.samples != self.samples:
                raise ValueError(f"table {table.name!r} has {table.samples} samples, the profile {self.samples}")

    @property
    def is_private(self) -> bool:
        """Whether a formal guarantee covers it; exact profiles must not leave the house."""
        return self.origin == "private"

    @property
    def shared(self) -> tuple[tuple[str, ...], ...]:
        """Names of the features of every table that several share."""
        return tuple(tuple(f.name for f in table.features) for table in self.tables if table.features)

    @property
    def promise(self) -> str:
        """What whoever reads the file can learn, in a line."""
        if self.privacy is None:
            return "NOT PRIVATE: exact statistics" if self.origin == "exact" else "from published aggregates"
        delta = f", δ = {self.privacy.delta:g}" if self.privacy.delta else ""
        return f"private, ε = {self.privacy.epsilon:g} per {self.privacy.unit}{delta}"

    def save(self, path: str | Path) -> None:
        """Write as JSON with its checksum: whole or not at all."""
        signed = msgspec.structs.replace(self, checksum=_digest(msgspec.json.encode(self)))
        with replacing(path) as beside:
            beside.write_bytes(msgspec.json.format(msgspec.json.encode(signed), indent=1))


class _Versioned(msgspec.Struct):
    version: int = 1


def load(path: str | Path) -> TraceProfile:
    """Read a profile file; HotrowError names the file, the field and the rule."""
    try:
        text = Path(path).read_bytes()
        found = msgspec.json.decode(text, type=_Versioned).version
        if found > VERSION:  # said first: a newer file may have fields that this program does not know
            raise HotrowError(f"{path}: {_newer(found)}; update hotrow")
        profile = msgspec.json.decode(text if found >= CALIBRATED else _uncalibrated(text), type=TraceProfile)
    except OSError as error:
        raise HotrowError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise HotrowError(f"{path}: not a trace profile ({error})") from error
    if profile.checksum != _digest(text):
        raise HotrowError(f"{path}: damaged (its checksum does not fit its content); get it again from its source")
    return profile


def _digest(text: bytes) -> str:
    """SHA-256 of a profile's JSON, whatever its spacing, with an empty checksum."""
    return hashlib.sha256(
        msgspec.json.encode({**msgspec.json.decode(text), "checksum": ""}, order="sorted")
    ).hexdigest()


def _uncalibrated(text: bytes) -> bytes:
    """The profile without calibrations of a kind that is no longer used: they are found anew where they are needed."""
    known = msgspec.json.decode(text)
    tables = known.get("tables") if isinstance(known, dict) else None
    for table in tables if isinstance(tables, list) else ():
        if isinstance(table, dict):
            table.pop("calibration", None)
    return msgspec.json.encode(known)


def _newer(version: int) -> str:
    return f"written by a newer hotrow (profile version {version}, this one reads {VERSION})"


def built_in() -> tuple[str, ...]:
    """Names of the profiles that come with hotrow."""
    folder = resources.files(__package__) / "profiles"
    return tuple(sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json")))


def characterize(trace: Trace, name: str = "trace") -> TraceProfile:
    """Popularity, bag sizes and locality of every table, exact and so not private."""
    from .measure import exact_profile  # it makes profiles, so it comes after this module

    return exact_profile(trace, name)
