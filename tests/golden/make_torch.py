"""Make ``torch.safetensors``: runs that change between torch and ferrostep half-way.

Needs torch and ferrostep: ``python tests/golden/make_torch.py``. For each case, BEFORE steps are
made by one library, its state moves to the other, and AFTER steps are made by both. What torch
wrote and computed is recorded: ``forth`` from torch to ferrostep, ``back`` the other way.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

import ferrostep as fs
from ferrostep.compat.torch import to_torch

FILE = Path(__file__).parent / "torch.safetensors"
BEFORE, AFTER = 3, 4
SHAPES = [(4, 3), (5,)]
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("Rprop", {"lr": 0.05}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"betas": (0.8, 0.95)}),
]


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    cases = []
    for i, (name, options) in enumerate(CASES):
        start = [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
        grads = [
            [rng.standard_normal(shape).astype(np.float32) for shape in SHAPES]
            for _ in range(BEFORE + AFTER)
        ]
        for k, p in enumerate(start):
            arrays[f"{i}/start/{k}"] = p.copy()
            for t, g in enumerate(grads):
                arrays[f"{i}/grad/{t}/{k}"] = g[k]

        params, theirs = in_torch(name, options, start)
        step(params, theirs, grads[:BEFORE])
        saved = theirs.state_dict()
        for k, p in enumerate(params):
            arrays[f"{i}/forth/moved/{k}"] = p.detach().numpy().copy()
            for key, value in saved["state"].get(k, {}).items():
                if value is not None:
                    arrays[f"{i}/forth/state/{k}/{key}"] = value.numpy().copy()
        group = saved["param_groups"][0]
        step(params, theirs, grads[BEFORE:])
        record(arrays, f"{i}/forth", params)

        ours = [p.copy() for p in start]
        optimizer = getattr(fs, name)(ours, **options)
        for g in grads[:BEFORE]:
            optimizer.step(g)
        params, theirs = in_torch(name, options, ours)
        theirs.load_state_dict(to_torch(optimizer.state_dict()))
        step(params, theirs, grads[BEFORE:])
        record(arrays, f"{i}/back", params)
        cases.append({"optimizer": name, "options": options, "group": group})
    about = {"torch": torch.__version__, "machine": platform.machine(), "before": BEFORE}
    save_file(arrays, FILE, {"cases": json.dumps({**about, "after": AFTER, "cases": cases})})


def in_torch(name: str, options: dict[str, Any], start: list[Any]) -> tuple[list[Any], Any]:
    params = [torch.nn.Parameter(torch.from_numpy(p.copy())) for p in start]
    return params, getattr(torch.optim, name)(params, **options)


def step(params: list[Any], optimizer: Any, grads: list[list[Any]]) -> None:
    for g in grads:
        for p, array in zip(params, g, strict=True):
            p.grad = torch.from_numpy(array.copy())
        optimizer.step()


def record(arrays: dict[str, Any], where: str, params: list[Any]) -> None:
    for k, p in enumerate(params):
        arrays[f"{where}/end/{k}"] = p.detach().numpy().copy()


if __name__ == "__main__":
    main()
