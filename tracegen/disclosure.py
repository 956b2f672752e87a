"""disclosure: what a private profile says of itself: the budget, what was spent, and in plain words what it hides."""

from __future__ import annotations

from .privacy import Charge, PrivacyBudget, epsilon_of, library
from .profile import PrivacyHeader, Spent


def privacy_header(budget: PrivacyBudget, charges: list[Charge], total: float) -> PrivacyHeader:
    """The header of a profile; total: ε (laplace) or ρ (gaussian) of the whole file."""
    pure = budget.mechanism == "laplace"
    protected, not_protected = _words(budget)
    return PrivacyHeader(
        unit=budget.unit,
        epsilon=budget.epsilon,
        delta=budget.delta,
        epsilon_spent=total if pure else epsilon_of(total, budget.delta),
        rho=None if pure else total,
        mechanism=f"discrete {budget.mechanism}",
        library=library(),
        samples_per_user=budget.samples_per_user if budget.unit == "user" else None,
        lookups_per_sample=budget.lookups_per_sample,
        protected=protected,
        not_protected=not_protected,
        spent=tuple(Spent(*(getattr(c, f) for f in Spent.__struct_fields__)) for c in charges),
    )


def _words(budget: PrivacyBudget) -> tuple[str, str]:
    """In plain words: what the guarantee hides, and what it does not."""
    public = "Public: the number of samples, table names, declared rows, which tables are one-hot, slots per sample."
    factor = f"e^{budget.epsilon:g}" + (f" plus {budget.delta:g}" if budget.delta else "")
    if budget.unit == "access":
        return (
            f"Any one lookup: whoever sees this file can tell whether it happened by a factor of at most {factor}.",
            f"A person: somebody with many lookups is protected by that many times ε. {public}",
        )
    if budget.unit == "sample":
        return (
            "Any one sample, with its lookups in all tables: whoever sees this file can tell whether it happened by "
            f"a factor of at most {factor}.",
            f"A person with many samples: k samples together are protected by k·ε. {public}",
        )
    return (
        f"Any one user, with all samples: whoever sees this file can tell whether the user is in the log by a factor "
        f"of at most {factor}.",
        f"Facts about many users together. Of a user only the first {budget.samples_per_user} samples count. {public}",
    )
