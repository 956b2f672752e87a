"""GPU timing where there is a device; a clear refusal where there is none."""

import pytest
import torch

from hotrow import HotrowError
from hotrow.profiling.gpu import graph_replay, require_cuda, time_step_cuda

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_it_says_so() -> None:
    for attempt in (require_cuda, lambda: time_step_cuda(lambda: None), lambda: graph_replay(lambda: None)):
        with pytest.raises(HotrowError, match=r"CUDA was asked for, but torch .* sees no device"):
            attempt()


@pytest.mark.gpu
@needs_gpu
def test_events_time_the_device_and_graphs_replay() -> None:
    x, out = torch.rand(512, 512, device="cuda"), torch.empty(512, 512, device="cuda")
    timing = time_step_cuda(lambda: torch.mm(x, x, out=out), seconds=0.01, least=3)
    assert (timing.wall > 0).all()
    assert not timing.contended
    replay = graph_replay(lambda: torch.mm(x, x, out=out))
    out.zero_()
    replay()
    torch.cuda.synchronize()
    assert torch.allclose(out, x @ x, rtol=1e-3)
