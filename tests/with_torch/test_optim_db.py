"""torch's own table of options (`optim_db`), and of bad ones: ours beside torch's."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

from beside import NAMES, OURS, THEIRS, compare, values

INFOS = {info.optim_cls.__name__: info for info in optim_db if info.optim_cls.__name__ in NAMES}
CASES = [
    pytest.param(name, case.kwargs, id=f"{name}-{case.desc}")
    for name in NAMES
    for case in INFOS[name].optim_inputs_func(device="cpu")
]


def test_the_table_has_all_of_ours() -> None:
    assert INFOS.keys() == set(NAMES)
    assert len(CASES) >= 45


@pytest.mark.parametrize(("name", "options"), CASES)
def test_options(name: str, options: dict[str, Any]) -> None:
    def make(cls: Any, params: list[torch.Tensor]) -> torch.optim.Optimizer:
        given = {k: x.clone() if isinstance(x, torch.Tensor) else x for k, x in options.items()}
        made: torch.optim.Optimizer = cls(params, **given, foreach=False)
        return made

    compare(name, make, values(1), [values(10 + t) for t in range(12)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flag", ["capturable", "differentiable"])
def test_what_is_refused(name: str, flag: str) -> None:
    p = torch.ones(3, requires_grad=True)
    with pytest.raises((ValueError, TypeError), match=flag):
        OURS[name]([p], **{flag: True})
    if flag in THEIRS[name]([p]).param_groups[0]:
        opt = OURS[name]([p])
        opt.param_groups[0][flag] = True
        saved = opt.state_dict()
        with pytest.raises(ValueError, match=flag):
            OURS[name]([p]).load_state_dict(saved)


def outcome(make: Any, error: Any) -> tuple[Any, ...]:
    """What comes of bad input: the exceptions and warnings, with their texts."""
    given = error.optimizer_error_input
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            opt = make(given.params, **given.kwargs)
            if error.error_on == OptimizerErrorEnum.STEP_ERROR:
                opt.step()
            raised = None
        except Exception as found:
            raised = type(found), str(found)
    return raised, [(w.category, str(w.message)) for w in told]


#: torch warns and steps such a parameter twice; ours warns and refuses it.
DUPLICATES = "a param group cannot have duplicate parameters"


@pytest.mark.parametrize("name", NAMES)
def test_bad_options(name: str) -> None:
    cases = INFOS[name].optim_error_inputs_func(device="cpu", dtype=torch.float32)
    assert len(cases) >= 7
    for case in cases:
        theirs, ours = outcome(THEIRS[name], case), outcome(OURS[name], case)
        if case.optimizer_error_input.desc == DUPLICATES:
            assert ours[1] == theirs[1]
            assert ours[0] == (ValueError, "parameters 0 and 1 are one tensor; give it once")
            continue
        # Texts have torch's words first; what was wanted comes after them.
        assert ours[1] == theirs[1]
        assert (ours[0] is None) == (theirs[0] is None)
        if theirs[0] is not None:
            assert ours[0][0] is theirs[0][0]
            assert re.match(re.escape(theirs[0][1]), ours[0][1]), (ours, theirs)
