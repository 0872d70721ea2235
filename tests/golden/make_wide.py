"""Record anew, in `vectors/torch.json`, the float64 cases of classes that remember numbers.

torch keeps such numbers (NAdam's mu_product, ASGD's eta and mu) in its default type, float32, and
so its float64 parameters are no better than that, unless float64 is the default. Needs torch:
``python tests/golden/make_wide.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

FILE = Path(__file__).parents[1] / "vectors" / "torch.json"


def record(case: dict[str, Any]) -> None:
    params = [torch.nn.Parameter(torch.tensor(p)) for p in case["initial"]]
    optimizer = getattr(torch.optim, case["optimizer"])(params, foreach=False, **case["options"])
    path = []
    for gradients, lr in zip(case["gradients"], case["learning_rates"], strict=True):
        optimizer.param_groups[0]["lr"] = lr
        for p, g in zip(params, gradients, strict=True):
            p.grad = None if g is None else torch.tensor(g)
        optimizer.step()
        path.append([p.detach().tolist() for p in params])
    case["parameters_after_each_step"] = path
    case["final_state"] = [
        {name: x.tolist() for name, x in optimizer.state[p].items()} for p in params
    ]
    case["recorded"] = f"torch {torch.__version__}, with float64 as its default type"


def remembers(case: dict[str, Any]) -> bool:
    sized = next(i for i, shape in enumerate(case["shapes"]) if shape)
    return any(type(x) is float and n != "step" for n, x in case["final_state"][sized].items())


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    file = json.loads(FILE.read_text())
    for case in file["cases"]:
        if case["dtype"] == "float64" and remembers(case):
            record(case)
    FILE.write_text(json.dumps(file))


if __name__ == "__main__":
    main()
