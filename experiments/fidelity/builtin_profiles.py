"""Question: which profiles come with hotrow? Releases them again, with ε = 1 per sample, from the freely licensed logs.

Run as: python -m hotrow.experiments.fidelity.builtin_profiles FOLDER_OF_TRACES TARGET_FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from ...tracegen import files
from ...tracegen.privacy import PrivacyBudget
from ...tracegen.profile import TraceProfile
from ...tracegen.trace import TableLookups, Trace
from .fitting import fit

ATTRIBUTIONS = {
    "nycflights17": "flights from New York in 2017 (CC0); changed: released with noise",
    "rduflights17": "flights from Raleigh-Durham in 2017 (CC0); changed: released with noise",
    "completejourney_75k": "The Complete Journey, grocery sales, a 5 % sample (CC0); changed: released with noise",
    "c2k_orm_busy": "c2k_orm_busy, e-commerce cache keys, headissue GmbH (CC BY 4.0); changed: released with noise",
    "c2k_web07": "c2k_web07, e-commerce cache keys, headissue GmbH (CC BY 4.0); changed: released with noise",
}


def builtin_profile(name: str, folder: Path) -> TraceProfile:
    """The private profile of one of the freely licensed logs: ε = 1 per sample, tables by their fields' names."""
    fields = json.loads((folder / "index.json").read_text())[name]["fields"]
    trace = files.read(folder / f"{name}.npz")
    tables = tuple(
        TableLookups(field["name"], declared(trace.table(field["key"]).rows), trace.table(field["key"]).indices)
        for field in fields
    )
    profile = fit(Trace(tables), PrivacyBudget(1.0), name).profile
    return msgspec.structs.replace(profile, attribution=ATTRIBUTIONS[name])


def declared(rows: int) -> int:
    """Declared rows that do not tell how many occur: the next power of two."""
    return int(2 ** np.ceil(np.log2(max(rows, 2))))


def main(arguments: Sequence[str]) -> None:
    """Write every built-in profile of the logs in the first folder to the second."""
    source, target = map(Path, arguments)
    for name in ATTRIBUTIONS:
        builtin_profile(name, source).save(target / f"{name}.json")


if __name__ == "__main__":
    main(sys.argv[1:])
