"""Gradients of rows where there must be whole ones."""

from __future__ import annotations

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, ROW_CASES


def test_rules_that_measure_whole_tensors_refuse_rows() -> None:
    refused = [case for case in CASES if case not in ROW_CASES]
    measuring = {fs.Adafactor, fs.LAMB, fs.LARS, fs.NovoGrad, fs.Prodigy, fs.StableAdamW}
    measuring |= {fs.ScheduleFreeSGD, fs.ScheduleFreeAdamW}  # whose average moves in all rows
    assert {case.optimizer for case in refused if not case.options.get("cautious")} == measuring
    assert [case for case in CASES if case.options.get("cautious") and case in ROW_CASES] == []
    for case in refused:
        p = np.ones((2, 1), np.float32)
        opt = case.make({"w": p})
        with pytest.raises(TypeError, match=r"gradient of parameter 'w' must be whole .* rows"):
            opt.step({"w": fs.Rows([0], np.ones((1, 1)))})
        assert (p == 1).all()
        assert not opt.state
