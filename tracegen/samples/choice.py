"""Choice: whether coupling brings generated samples nearer to the released counts, judged by those alone."""

from __future__ import annotations

import msgspec

from ..generate import block_columns
from ..profile import TraceProfile
from .coupling import miss_distance

WORTH = 0.002  # a smaller gain is not worth moving lookups for


def choose_coupling(profile: TraceProfile, seed: int = 0) -> TraceProfile:
    """The profile whose coupling is used where it helps, with both distances; as it is where it has none.

    Post-processing: it compares what would be generated with what was released.
    """
    coupling = profile.coupling
    if coupling is None or profile.samples < 1:
        return profile
    claims = []
    for used in (False, True):
        tried = msgspec.structs.replace(profile, coupling=msgspec.structs.replace(coupling, used=used))
        columns = block_columns(tried, seed, 1, [None] * len(profile.tables))
        claims.append(miss_distance(columns, coupling))
    chosen = msgspec.structs.replace(
        coupling, used=claims[1] < claims[0] - WORTH, claims=(round(claims[0], 5), round(claims[1], 5))
    )
    return msgspec.structs.replace(profile, coupling=chosen)
