"""hotrow: co-design and trace analysis for deep-learning recommendation models."""

__version__ = "0.1.0"


class HotrowError(ValueError):
    """A mistake that its user can mend; the message says what, where and what to do."""
