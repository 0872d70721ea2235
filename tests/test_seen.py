"""What users see of the package and of what they made: `repr`, `dir`, `help`."""

from __future__ import annotations

import copy
import pydoc
import re
import threading
from typing import Any

import numpy as np
import pytest

import ferrostep as fs
from cases import CASES, PUBLIC, Case
from support.programs import output
from support.sour import Sour

# repr


def test_hundreds_of_parameters_stay_short() -> None:
    opt = fs.SGD({f"layer{i}": np.ones(i + 1) for i in range(300)}, lr=0.5, momentum=0.9)
    opt.step({f"layer{i}": np.ones(i + 1) if i > 297 else None for i in range(300)})
    assert repr(opt).splitlines() == [
        "SGD(lr=0.5, momentum=0.9): 300 parameters, 4792 bytes of state",
        "  'layer0': float64 (1,), no step yet",
        "  'layer1': float64 (2,), no step yet",
        "  'layer2': float64 (3,), no step yet",
        "  'layer3': float64 (4,), no step yet",
        "  ... 294 more ...",
        "  'layer298': float64 (299,), step 1, 2392 bytes of state",
        "  'layer299': float64 (300,), step 1, 2400 bytes of state",
    ]


def test_hundreds_of_groups_stay_short() -> None:
    opt = fs.SGD([{"params": [np.ones(1)], "lr": 1.0 + i} for i in range(300)], backend="native")
    assert repr(opt).splitlines() == [
        "SGD(backend='native'): 300 parameters in 300 groups, 0 bytes of state",
        *[
            line
            for i in (0, 1, 2, 3, None, 298, 299)
            for line in (
                ["  ... 294 more ..."]
                if i is None
                else [f"  group {i}: lr={1.0 + i}", f"  {i}: float64 (1,), no step yet"]
            )
        ],
    ]


def test_groups_of_several_parameters() -> None:
    params = [np.ones(2, np.float16) for _ in range(9)]
    opt = fs.AdamW([{"params": params[:7]}, {"params": params[7:], "weight_decay": 0.0}])
    assert repr(opt).splitlines() == [
        "AdamW(): 9 parameters in 2 groups, 0 bytes of state",
        "  group 0: lr=0.001",
        *[f"  {i}: float16 (2,), no step yet" for i in range(4)],
        "  ... 3 more ...",
        "  group 1: lr=0.001, weight_decay=0.0",
        *[f"  {i}: float16 (2,), no step yet" for i in (7, 8)],
    ]


def test_unbound() -> None:
    opt = fs.Momentum(lr=0.5)
    first = "Momentum(lr=0.5): 0 parameters, 0 bytes of state\n  unbound:"
    assert repr(opt) == f"{first} parameters come with update(params, grads)"
    other = copy.deepcopy(opt)
    opt.update([np.ones(2)], [np.ones(2)])
    assert repr(opt).splitlines() == [
        "Momentum(lr=0.5): 1 parameter, 16 bytes of state",
        "  0: float64 (2,), step 1, 16 bytes of state",
    ]
    other.load_state_dict(opt.state_dict())
    assert "state was loaded for 1 parameter; parameters come" in repr(other)


def test_skipped_steps() -> None:
    opt = fs.SGD([np.ones(2)], nonfinite="skip")
    opt.step([np.full(2, np.nan)])
    assert "0 bytes of state, 1 step skipped" in repr(opt)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_options_are_those_that_are_not_the_defaults(case: Case) -> None:
    shown = repr(case.optimizer([np.ones(3, np.float32)], **case.options))
    for name, default in case.optimizer._schema().defaults.items():
        value = case.options.get(name, default)
        changed = name == "lr" or repr(value) != repr(default)
        assert bool(re.search(rf"\b{name}={re.escape(repr(value))}", shown)) == changed, name


def test_what_cannot_be_shown_is_no_error() -> None:
    class Unmade(fs.SGD):
        def __init__(self) -> None: ...

    assert repr(Unmade()) == "Unmade: this optimizer was never made; call super().__init__()"
    opt = fs.SGD([np.ones(2)])
    opt.param_groups[0]["_mine"] = Sour()
    assert "_mine=<Sour instance at" in repr(opt)
    opt.param_groups[0]["lr"] = np.ones(100_000)
    assert len(repr(opt)) < 300
    opt.param_groups.append({"params": []})
    assert repr(opt).startswith("SGD(): param_groups")


def test_within_a_step() -> None:
    seen = []

    def factory(key: Any, name: str, like: Any, dtype: Any) -> Any:
        seen.append(repr(opt))
        return np.zeros(like.shape, dtype)

    opt = fs.Momentum([np.ones(2)], state_factory=factory)
    opt.step([np.ones(2)])
    assert seen[0].startswith("Momentum")
    thread = threading.Thread(target=lambda: seen.append(repr(opt)))
    thread.start()
    thread.join(60)
    assert seen[-1] == repr(opt)


def test_schedulers() -> None:
    opt = fs.SGD([np.ones(2)], lr=0.5)
    first = fs.schedulers.LinearLR(opt, start_factor=0.5, total_iters=2)
    then = fs.schedulers.ExponentialLR(opt, gamma=0.5)
    both = fs.schedulers.SequentialLR(opt, [first, then], milestones=[2])
    opt.step([np.ones(2)])
    both.step()
    assert repr(both) == (
        "SequentialLR(schedulers=[LinearLR(start_factor=0.5, end_factor=1.0, total_iters=2): "
        "epoch 1, lr [0.375], ExponentialLR(gamma=0.5): epoch -1, lr [0.25]], milestones=[2]): "
        "epoch 1, lr [0.375]"
    )


@pytest.mark.parametrize("name", [n for n in fs.schedulers.__all__ if n != "plot"])
def test_a_scheduler_before_its_constructor(name: str) -> None:
    cls = getattr(fs.schedulers, name)
    assert repr(cls.__new__(cls)) == f"{name}(): epoch None, lr None"


# dir and help


def test_dir_shows_public_names() -> None:
    assert set(dir(fs)) == {*fs.__all__, "__version__", "typing"}
    assert {"compat", "schedulers", "load_checkpoint"} <= set(fs.__all__)
    assert dir(fs.schedulers) == sorted(fs.schedulers.__all__)
    assert dir(fs.compat) == ["keras", "scipy", "sklearn", "thinc", "torch"]
    for module in (fs, fs.schedulers, fs.compat):
        assert all(hasattr(module, name) for name in dir(module))


def test_names_that_there_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'ferrostep' has no attribute 'Adm'"):
        fs.Adm  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Adm' from 'ferrostep'"):
        from ferrostep import Adm  # type: ignore[attr-defined]  # noqa: F401


def test_help_begins_with_the_classes() -> None:
    text = pydoc.plain(pydoc.render_doc(fs))
    begin = text[: text.index("PACKAGE CONTENTS")]
    for cls in [*PUBLIC, *(getattr(fs.schedulers, name) for name in fs.schedulers.__all__)]:
        assert f"{cls.__name__} " in begin
        assert (cls.__doc__ or "").splitlines()[0] in begin
    assert begin.index("opt.step(grads)") < begin.index("SGD ")


def test_without_docstrings() -> None:
    """As with ``python -OO``."""
    program = """
import subprocess
program = "import ferrostep as fs; print(fs.__doc__, len(dir(fs)) > 20)"
found = subprocess.run([sys.executable, "-OO", "-c", program], capture_output=True, timeout=60)
print(found.stdout.decode().strip() or found.stderr.decode())
"""
    assert output(program) == ["None True"]
