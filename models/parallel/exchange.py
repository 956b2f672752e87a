"""Exchange: the all-to-all that hands every process its samples' vectors of all tables, forward and backward.

Both ways it runs while other work goes on: it is started, and waited for later.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(eq=False)
class Exchange:
    """One batch's exchange. sent, received: numbers to and from every rank. seconds: spent starting and waiting."""

    sent: list[int]
    received: list[int]
    seconds: float = 0.0
    _work: Any = field(default=None)
    _gradient: Tensor | None = field(default=None)

    def start(self, numbers: Tensor) -> Tensor:
        """Send `numbers` (flat, by rank); what comes is not whole before `finish` has been called on it."""
        arriving: Tensor = _Start.apply(numbers, self)  # type: ignore[no-untyped-call]
        return arriving

    def finish(self, arriving: Tensor) -> Tensor:
        """The numbers received, flat, by rank."""
        received: Tensor = _Finish.apply(arriving, self)  # type: ignore[no-untyped-call]
        return received

    def send(self, numbers: Tensor, sent: list[int], received: list[int]) -> Tensor:
        """Start an all-to-all."""
        begin = time.perf_counter()
        arriving = torch.empty(sum(received), dtype=numbers.dtype, device=numbers.device)
        self._work = dist.all_to_all_single(arriving, numbers.contiguous(), received, sent, async_op=True)
        self.seconds += time.perf_counter() - begin
        return arriving

    def wait(self) -> None:
        """Wait for the all-to-all under way."""
        begin = time.perf_counter()
        self._work.wait()
        self.seconds += time.perf_counter() - begin


class _Start(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, numbers: Tensor, exchange: Exchange) -> Tensor:
        context.exchange = exchange
        return exchange.send(numbers, exchange.sent, exchange.received)

    @staticmethod
    def backward(context: Any, *outputs: Tensor) -> Any:
        """The gradient that _Finish has asked for; outputs are only its placeholder."""
        context.exchange.wait()
        return context.exchange._gradient, None


class _Finish(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, arriving: Tensor, exchange: Exchange) -> Tensor:
        context.exchange = exchange
        exchange.wait()
        return arriving.clone()

    @staticmethod
    def backward(context: Any, *outputs: Tensor) -> Any:
        """Starts the way back; autograd computes the bottom MLP's gradients before it comes to _Start."""
        exchange = context.exchange
        exchange._gradient = exchange.send(outputs[0], exchange.received, exchange.sent)
        return outputs[0], None
