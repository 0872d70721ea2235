"""Make ``tests/vectors/presets.json``: other libraries' signatures, and their numbers.

``python tests/golden/make_presets.py LIBRARY`` renews what is there of one, in an environment that
has it: torch; keras or optax with jax; sklearn. "papers" are loops by hand and need NumPy alone.
Every case makes the same STEPS steps, in float64 and in float32, from the same numbers.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from preset_cases import CASES, Options

FILE = Path(__file__).parents[1] / "vectors" / "presets.json"
STEPS = 6
SHAPES = [(7,), (3, 5), (1,), ()]
Arrays = list[Any]
#: They take matrices alone, of these.
MATRICES = {"Muon"}
#: Takes arrays through all gradients, with an optimizer's options.
Run = Callable[[Arrays, list[Arrays], Options], Arrays]


def problem(dtype: str) -> tuple[Arrays, list[Arrays]]:
    """Return where all cases begin and their gradients: float32 numbers, some of them 0."""
    rng = np.random.default_rng(20261127)

    def arrays() -> Arrays:
        return [np.asarray(rng.standard_normal(shape), np.float32) for shape in SHAPES]

    start, grads = arrays(), [arrays() for _ in range(STEPS)]
    for t, g in enumerate(grads):
        g[0][t % 7] = 0.0
        g[1][1, 2] = 0.0
    return [np.asarray(p, dtype) for p in start], [[np.asarray(x, dtype) for x in g] for g in grads]


# Each library: where its optimizers are, and how they step.


def of_torch(name: str) -> tuple[Any, Run]:
    import torch

    torch.set_default_dtype(torch.float64)  # which NAdam's and ASGD's own numbers have
    cls = getattr(torch.optim, name)
    if name == "Muon":
        _in_full_precision()

    def run(start: Arrays, grads: list[Arrays], options: Options) -> Arrays:
        params = [torch.nn.Parameter(torch.from_numpy(p)) for p in start]
        opt = cls(params, **options)
        for step in grads:
            for p, g in zip(params, step, strict=True):
                p.grad = torch.from_numpy(g)
                if name == "SparseAdam":  # of a number, which has no rows, none
                    p.grad = p.grad.to_sparse(1) if g.ndim else None
            opt.step()
        return [p.detach().numpy() for p in params]

    return cls, run


@cache
def _in_full_precision() -> None:
    """Let Muon's iteration be in the parameter's type: torch's own is in bfloat16 always."""
    from torch.optim import _muon

    source = inspect.getsource(_muon._zeropower_via_newtonschulz)
    assert "dtype=torch.bfloat16" in source
    exec(source.replace("dtype=torch.bfloat16", "dtype=grad.dtype"), vars(_muon))


def of_keras(name: str) -> tuple[Any, Run]:
    os.environ["KERAS_BACKEND"] = "jax"  # its NumPy backend computes float64 in float32
    import jax
    import keras

    jax.config.update("jax_enable_x64", True)
    cls = getattr(keras.optimizers, name)

    def run(start: Arrays, grads: list[Arrays], options: Options) -> Arrays:
        dtype = start[0].dtype.name
        keras.config.set_floatx(dtype)  # of the learning rate
        params = [keras.Variable(p, dtype=dtype) for p in start]
        opt = cls(**options)
        for step in grads:
            opt.apply(list(map(jax.numpy.asarray, step)), params)
        return [np.asarray(p.value) for p in params]

    return cls, run


def of_optax(name: str) -> tuple[Any, Run]:
    import jax
    import optax.contrib

    jax.config.update("jax_enable_x64", True)
    make = getattr(optax, name, None) or getattr(optax.contrib, name)

    def run(start: Arrays, grads: list[Arrays], options: Options) -> Arrays:
        params, opt = list(map(jax.numpy.asarray, start)), make(**options)
        state = opt.init(params)
        for step in grads:
            updates, state = opt.update(list(map(jax.numpy.asarray, step)), state, params)
            params = optax.apply_updates(params, updates)
        return list(map(np.asarray, params))

    return make, run


def of_sklearn(name: str) -> tuple[Any, Run]:
    from sklearn.manifold import _t_sne
    from sklearn.neural_network import _stochastic_optimizers

    tsne = name == "gradient_descent"
    make = getattr(_t_sne, f"_{name}") if tsne else getattr(_stochastic_optimizers, name)

    def run(start: Arrays, grads: list[Arrays], options: Options) -> Arrays:
        if not tsne:
            opt = make(start, **options)
            for step in grads:
                opt.update_params(start, step)
            return start
        for i, p in enumerate(start):
            given = iter([(0.0, step[i].reshape(-1)) for step in grads])
            fixed = {"it": 0, "max_iter": STEPS, "min_grad_norm": -1.0}
            end = make(lambda *_, given=given, **__: next(given), p.ravel(), **fixed, **options)
            start[i] = end[0].reshape(p.shape)
        return start

    return make, run


def of_papers(name: str) -> tuple[Any, Run]:
    from papers import PAPERS

    rule = PAPERS[name]

    def run(start: Arrays, grads: list[Arrays], options: Options) -> Arrays:
        return [rule(p, [step[i] for step in grads], **options) for i, p in enumerate(start)]

    return partial(rule, None, None), run  # without what it is to update


LIBRARIES: dict[str, Callable[[str], tuple[Any, Run]]] = {
    "torch": of_torch,
    "keras": of_keras,
    "optax": of_optax,
    "sklearn": of_sklearn,
    "papers": of_papers,
}
PACKAGES = {"sklearn": "scikit-learn", "papers": "numpy"}


def signature(made: Any) -> dict[str, Any]:
    """Return arguments and defaults; ["required"] where there is none."""
    found = inspect.signature(made).parameters.values()
    return {
        p.name: ["required"] if p.default is p.empty else p.default
        for p in found
        if p.kind is not p.VAR_KEYWORD
    }


def main(library: str) -> None:
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    signatures, cases = {}, []
    for name, options in CASES[library]:
        made, run = LIBRARIES[library](name)
        signatures[name] = signature(made)
        case: dict[str, Any] = {"name": name, "options": options}
        for dtype in ("float64", "float32"):
            start, grads = problem(dtype)
            if name in MATRICES:
                start, *grads = ([x for x in arrays if x.ndim == 2] for arrays in (start, *grads))
            end = run(start, grads, options)
            assert all(p.dtype == dtype for p in end), (name, [p.dtype for p in end])
            case[dtype] = [float(x) for p in end for x in np.ravel(p)]
        cases.append(case)
    start, grads = problem("float32")
    known["shapes"] = SHAPES
    known["start"] = [p.tolist() for p in start]
    known["gradients"] = [[g.tolist() for g in step] for step in grads]
    told = {"version": version(PACKAGES.get(library, library)), "signatures": signatures}
    known[library] = {**told, "cases": cases}
    lines = json.dumps(known).replace('{"name"', '\n{"name"').replace('{"version"', '\n{"version"')
    FILE.write_text(f"{lines}\n")


if __name__ == "__main__":
    main(sys.argv[1])
