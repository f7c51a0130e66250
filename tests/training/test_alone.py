from __future__ import annotations

import numpy as np
import torch

from harness.training.alone import Alone
from harness.training.live import LiveRun


def test_a_process_that_has_the_run_to_itself_keeps_everything(make_spec):
    alone, places = Alone(), np.arange(7)
    assert (alone.rank, alone.world) == (0, 1)
    assert alone.share(places) is places
    values = torch.arange(3.0)
    assert alone.gather(values, 3) is values
    assert alone.mean(values) is values
    assert alone.slowest(1.5) == 1.5
    assert isinstance(LiveRun(make_spec()).parallel, Alone)
