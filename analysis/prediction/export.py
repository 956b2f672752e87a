"""Export: a prediction's coefficients, curves and operators as plain values, for evaluation elsewhere, as in a page.

What evaluates them needs no more than operators.py and predict.py do: interpolation, sums and products.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from ...models.config import ModelConfig
from .costs import Coefficients
from .steps import Mode, operators
from .traffic import Traffic


def exported(config: ModelConfig, traffic: Traffic, costs: Coefficients, mode: Mode = "inference") -> dict[str, Any]:
    """Everything that predict() reads, as plain values: costs, the traffic of one batch, the operators of one step."""
    return {
        "model": config.name,
        "mode": mode,
        "costs": msgspec.to_builtins(costs),
        "traffic": asdict(traffic),
        "operators": [asdict(each) for each in operators(config, traffic.per_table, traffic.batch, mode)],
    }
