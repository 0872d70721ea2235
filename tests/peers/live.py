"""Runs other libraries' optimizers in float64, as they are installed."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

import ferrostep as fs
from support.arrays import Array
from support.family import Case
from support.meant import plain


def end_of(case: Case) -> list[Array]:
    """Return where the parameters of a case end in the library that it is of."""
    library = case.theirs.partition(".")[0]
    place, _, name = case.theirs.rpartition(".")
    module = import_module(place)
    made = getattr(module, name) if hasattr(module, name) else getattr(module.contrib, name)
    options = {name: plain(value) for name, value in case.options.items()}
    return {"optax": _optax, "keras": _keras}.get(library, _torch)(made, options, case)


def _torch(cls: Any, options: dict[str, Any], case: Case) -> list[Array]:
    """Run a class with torch's interface."""
    import torch

    torch.set_default_dtype(torch.float64)  # of what it keeps as numbers
    if cls is torch.optim.Muon:
        _muon_in_float64()
    if "foreach" in inspect.signature(cls).parameters:
        options["foreach"] = False
    params = [torch.nn.Parameter(torch.from_numpy(p.copy())) for p in case.start]
    opt = cls(params, **options)
    if hasattr(opt, "train"):
        opt.train()
    for grads, lr in zip(case.gradients, case.rates, strict=True):
        opt.param_groups[0]["lr"] = lr
        for p, g in zip(params, grads, strict=True):
            p.grad = None if g is None else _tensor(g, p)
        opt.step()
    return [p.detach().numpy().copy() for p in params]


def _tensor(g: Array | fs.Rows, p: Any) -> Any:
    import torch

    if isinstance(g, np.ndarray):
        return torch.from_numpy(g.copy())
    rows, values = torch.from_numpy(g.indices[None].copy()), torch.from_numpy(g.values.copy())
    return torch.sparse_coo_tensor(rows, values, p.shape)


@cache
def _muon_in_float64() -> None:
    """torch's Newton-Schulz is in bfloat16 for parameters of any type."""
    from torch.optim import _muon

    source = inspect.getsource(_muon._zeropower_via_newtonschulz)
    assert "torch.bfloat16" in source
    exec(source.replace("torch.bfloat16", "grad.dtype"), vars(_muon))


def _optax(make: Any, options: dict[str, Any], case: Case) -> list[Array]:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    assert len({*case.rates}) == 1
    opt = make(options.pop("lr"), **options)
    params = list(map(jax.numpy.asarray, case.start))
    state = opt.init(params)
    for grads in case.gradients:
        updates, state = opt.update(list(map(jax.numpy.asarray, grads)), state, params)
        params = optax.apply_updates(params, updates)
    return list(map(np.asarray, params))


def _keras(cls: Any, options: dict[str, Any], case: Case) -> list[Array]:
    import jax
    import keras

    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    opt = cls(learning_rate=options.pop("lr"), **options)
    params = [keras.Variable(p, dtype="float64") for p in case.start]
    for grads, lr in zip(case.gradients, case.rates, strict=True):
        opt.learning_rate = lr
        opt.apply(list(map(jax.numpy.asarray, grads)), params)
    return [np.asarray(p.value) for p in params]
