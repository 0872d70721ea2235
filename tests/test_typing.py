"""What type checkers say of right and wrong calls, and the types for annotations of users' own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from cases import CLASSES
from ferrostep import typing
from ferrostep.groups import EXTRA, SCHEDULED

BEGIN = """
from collections.abc import Iterator
import numpy as np, ferrostep as fs
from numpy.typing import NDArray
from ferrostep.typing import Backend, Clip, Grads, ParamGroup, Params
p = np.ones(3)
bound = fs.SGD([p])
"""
RIGHT = """
opt = fs.Adam([p], 0.1, betas=(0.5, 0.75), amsgrad=True, weight_decay=0.1, nonfinite="skip")
opt = fs.Adam({"w": p}, state_dtype="bfloat16", backend="reference")
fs.Adam(state_dtype=np.float16, state_factory=fs.MemmapState("/tmp"))
other = fs.AdamW([p], lr=0.1, eps=1e-6, weight_decay=0.5, maximize=True)
reveal_type(opt.lr)
reveal_type(other.betas)
reveal_type(opt.amsgrad)
opt.lr = 0.5
opt.nonfinite = "raise"

class Mine(fs.SGD):
    momentum: float = 0.9
    def half(self) -> float:
        return self.lr / 2

Mine([p], nesterov=True).half()

class Built(fs.SGD):
    def __init__(self, params: Params, lr: float = 0.5, *, weight_decay: float = 0.1) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay)

Built([p])
any_class: type[fs.Optimizer] = fs.Rprop
any_class([p], maximize=True)

# Parameters.
class Layer:
    def __init__(self) -> None:
        self.W, self.b = np.ones((2, 3)), np.zeros(3)

def named(layers: list[Layer]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    return ((f"{i}.b", layer.b) for i, layer in enumerate(layers))

layers = [Layer(), Layer()]
fs.SGD(p)
fs.SGD((p, p))
fs.SGD(layer.W for layer in layers)
fs.SGD(named(layers))
fs.SGD({"w": p, "b": p}.values())
fs.SGD([("w", p), ("b", p)])
by_layer = [{"W": layer.W, "b": layer.b} for layer in layers]
fs.SGD(by_layer)
fs.SGD({"encoder": by_layer, "head": {"w": p, "b": None}, "rest": (p, [p])})
two = {"params": [p], "lr": 0.5}, {"params": {"w": p}, "weight_decay": 0.1}
fs.SGD(two)
fs.SGD([{"params": [p], "lr": 0.5}, {"params": by_layer}])
group: ParamGroup = {"params": [p], "lr": 0.5, "betas": (0.5, 0.75), "state_dtype": "float16"}
fs.Adam([group])
bound.add_param_group(group)
bound.rebind([p])

# Gradients.
def train(params: Params, grads: Grads, clip: Clip, backend: Backend | None) -> fs.StepInfo:
    return fs.SGD(params, backend=backend).step(grads, max_norm=1.0, clip=clip)

grads = {"w": p, "b": None}
train(p, p, "global", None)
bound.step(2 * p)
bound.step([p, None])
bound.step((p, p), grad_scale=0.5)
bound.step(grads)
bound.step(g for g in [p, p])
bound.step(grads.values())
bound.step([{"W": p, "b": None}, {"W": p, "b": p}])
bound.step({"encoder": [grads, grads], "head": (p, [p, None])})
bound.step(np.float32(2.0) * p[0])
bound.step(0.5)
bound.step(fs.Rows([0, 2], p[:2]))
bound.step([fs.Rows(np.array([0]), p[:1]), p, None])
bound.step({"w": {"b": fs.Rows(range(2), p[:2])}})
fs.SGD().updated({"w": p}, {"w": fs.Rows([0], p[:1])})
keyed = fs.SGD(missing="skip")
keyed.init_state({("k", 1): p, 3: p}, step=2)
keyed.update_one(("k", 1), p, p, max_norm=1.0).applied
keyed.update_one(3, p, fs.Rows([0], p[:1]))
keyed.rebind({("k", 1): p, 3: p})
fs.Adam().update({"w": p}, grads)
clip: Clip = "parameter"
bound.step([p], max_norm=1.0, clip=clip)

fs.schedulers.ReduceLROnPlateau(bound, mode="max", threshold_mode="abs")
fs.schedulers.StepLR(bound, step_size=2).step()
fs.schedulers.CosineAnnealingWarmRestarts(bound, 3).step(0.5)
fs.schedulers.WarmupStableDecayLR(bound, 9, 1, 2, decay="cosine")
fs.schedulers.ChainedScheduler([fs.schedulers.SWALR(bound, [0.1])])
fs.find_lr(bound, lambda: (1.0, [p]), steps=3).steepest
fs.compat.__doc__
fs.presets.torch.SGD([p], 0.1, 0.9, nonfinite="skip", foreach=True).momentum
fs.presets.keras.AdamW(0.1, weight_decay=0.5, params={"w": p}, name="mine").betas
fs.presets.optax.adam(0.1, b2=0.95, params=p, eps_root=0.0).step(p)
fs.presets.sklearn.SGDOptimizer(lr_schedule="constant").update([p], [p])
fs.presets.papers.FedAdam(eta=0.1, tau=0.001, params=p)
fs.save_checkpoint("/tmp/run", {"optimizer": bound}) if False else None
"""
WRONG = {
    'fs.Adam("nope")': "arg-type",
    'fs.Adam(["nope"])': "list-item",
    'fs.Adam({"w": ["nope"]})': "list-item",
    "fs.Adam(b'nope')": "arg-type",
    "fs.Adam(0.1)": "arg-type",
    "fs.Adam([1.0, 2.0])": "list-item",
    "fs.Adam({1: p})": "dict-item",
    'fs.Adam([p], lr="fast")': "arg-type",
    "fs.Adam([p], learning_rate=0.1)": "call-arg",
    "fs.AdamW([p], weight_decy=0.1)": "call-arg",
    "fs.SGD([p], betas=(0.9, 0.9))": "call-arg",
    "fs.Adam([p], 0.1, (0.5, 0.75))": "call-arg",
    "fs.AdamW([p], 0.1, 0.5)": "call-arg",
    "fs.Adam([p], betas=0.9)": "arg-type",
    'fs.Adam([p], nonfinite="ignore")': "arg-type",
    'fs.Adam([p], state_dtype="float8")': "arg-type",
    'fs.AdaptiveGains([p], compare="gain")': "arg-type",
    "fs.Adam([p], backend=3)": "arg-type",
    'fs.Adam([p], backend="rust")': "arg-type",
    "fs.SGD([p]).betas": "attr-defined",
    "fs.SGD([p]).lr.upper()": "attr-defined",
    'fs.SGD([p]).momentum = "much"': "assignment",
    'bound.step("nonsense")': "arg-type",
    'bound.step(["nonsense"])': "list-item",
    'bound.step({"w": {"b": "nonsense"}})': "dict-item",
    "bound.step(None)": "arg-type",
    "bound.step()": "call-arg",
    "bound.step([fs.Rows([0])])": "call-arg",
    "fs.SGD().update_one([1], p, p)": "arg-type",
    'fs.SGD().update_one("k", [p], p)': "arg-type",
    'fs.SGD(missing="ignore")': "arg-type",
    "fs.Rows([0], [1.0])": "arg-type",
    "fs.SGD([fs.Rows([0], p)])": "list-item",
    'bound.step([p], max_norm="1")': "arg-type",
    'bound.step([p], max_norm=1.0, clip="each")': "arg-type",
    'bound.step([p], measure="each")': "arg-type",
    'bound.rebind("w")': "arg-type",
    'group: ParamGroup = {"params": [p], "lr": "fast"}': "typeddict-item",
    'less: ParamGroup = {"lr": 0.5}': "typeddict-item",
    'fs.schedulers.ReduceLROnPlateau(bound, mode="least")': "arg-type",
    'fs.schedulers.WarmupStableDecayLR(bound, 9, 1, 2, decay="sqrt")': "arg-type",
    "fs.find_lr(bound, lambda: 1.0)": "arg-type",
    "fs.Adm": "attr-defined",
    "fs.presets.keras.Adam(lr=0.1)": "call-arg",
    "fs.presets.keras.Adam(clipnorm=1.0)": "arg-type",
    "fs.presets.keras.Adam([p])": "arg-type",
    "fs.presets.optax.adam()": "call-arg",
    "fs.presets.optax.adam(0.1, nesterov=True)": "arg-type",
    "fs.presets.papers.AdamW(0.1, weight_decay=0.1)": "call-arg",
    'fs.presets.sklearn.SGDOptimizer(lr_schedule="adaptive")': "arg-type",
    "fs.presets.keras.Nadm": "attr-defined",
}


def run(folder: Path, *command: str) -> str:
    """Let a checker look at the right calls and at the wrong ones, a line each."""
    (folder / "right.py").write_text(BEGIN + RIGHT)
    (folder / "wrong.py").write_text(BEGIN + "\n".join(WRONG))
    found = subprocess.run(
        [sys.executable, "-m", *command, "right.py", "wrong.py"],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert found.stdout, found.stderr
    return found.stdout


def call(line: int) -> str:
    return list(WRONG)[line - 1 - BEGIN.count("\n")]


def test_mypy(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    options = (
        "--strict",
        "--no-pretty",
        "--cache-dir",
        "cache",
        "--disable-error-code=no-untyped-call",
    )
    lines = run(tmp_path, "mypy", *options).splitlines()
    right = [line for line in lines if line.startswith("right.py")]
    assert [line.partition("note: ")[2] for line in right] == [
        'Revealed type is "float"',
        'Revealed type is "tuple[float, float]"',
        'Revealed type is "bool"',
    ], right
    wrong: dict[str, str] = {}
    for line in lines:
        if match := re.match(r"wrong\.py:(\d+): error: .*\[([\w-]+)\]$", line):
            wrong.setdefault(call(int(match[1])), match[2])
    assert wrong == WRONG


def test_pyright(tmp_path: Path) -> None:
    pytest.importorskip("basedpyright")
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    options = "--outputjson", "--pythonpath", sys.executable
    said = json.loads(run(tmp_path, "basedpyright", *options))["generalDiagnostics"]
    errors = [(Path(one["file"]).name, one) for one in said if one["severity"] == "error"]
    assert not [one for file, one in errors if file == "right.py"]
    assert {call(one["range"]["start"]["line"] + 1) for _, one in errors} == set(WRONG)


# Names.


def test_a_group_has_every_option_with_its_type() -> None:
    wanted: dict[str, Any] = {"name": str}
    for cls in CLASSES:
        schema = cls._schema()
        for name in schema.checks:
            one = schema.fields[name].type
            wanted[name] = wanted[name] | one if name in wanted else one
    found = get_type_hints(typing.ParamGroup)
    assert {name: found[name] for name in wanted} == wanted
    assert set(found) == set(wanted) | (EXTRA - SCHEDULED)
    assert typing.ParamGroup.__required_keys__ == {"params"}


def test_types_can_be_put_together_at_run_time() -> None:
    def train(params: typing.Params | None, grads: typing.Grads | None) -> None: ...

    assert typing.Params in get_args(typing.Params | None) or get_args(typing.Params | None)
    assert len(get_args(typing.Grads | None)) == len(get_args(typing.Grads)) + 1
