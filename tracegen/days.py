"""Days: a log of a week without dates, split as the DLRM benchmark splits Criteo's."""

from dataclasses import dataclass
from itertools import pairwise

from .. import HotrowError


@dataclass(frozen=True)
class Days:
    """Ranges of samples in time order: the days to train on, then validation and test."""

    training: tuple[range, ...]
    validation: range
    test: range


def split_days(samples: int, days: int = 7) -> Days:
    """`days` consecutive parts that are equal to within one sample; the last is halved, validation before test.

    Where the samples do not divide evenly, the earlier days have one more, and so has validation.
    Raises HotrowError for fewer than two days or fewer samples than days.
    """
    if days < 2:
        raise HotrowError(f"{days} days; at least 2 are needed, one to train on and one to halve")
    if samples < days:
        raise HotrowError(f"{samples} samples do not fill {days} days; at least one sample a day is needed")
    size, longer = divmod(samples, days)
    starts = [day * size + min(day, longer) for day in range(days + 1)]
    middle = (starts[-2] + starts[-1] + 1) // 2
    training = tuple(range(a, b) for a, b in pairwise(starts[:-1]))
    return Days(training, range(starts[-2], middle), range(middle, starts[-1]))
