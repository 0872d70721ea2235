"""The README's Python code runs, as it stands, one block after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferrostep as fs

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.M | re.S)


def names() -> dict[str, Any]:
    """What the blocks take for granted."""
    shapes = {"W1": (3, 4), "W2": (4, 2), "b1": (4,), "b2": (2,)}
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    params = list(arrays.values())
    return {
        "np": np,
        "fs": fs,
        **arrays,
        "params": params,
        "grads": [np.ones_like(p) for p in params],
        "batches": [(None, None)] * 3,
        "backward": lambda params, x, y: [np.ones_like(p) for p in params],
        "loss_scale": 128.0,
    }


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_readme(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "cupy" in block:
        pytest.skip("it takes a device")
    if "import torch" in block:
        pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    np.save("pretrained.npy", np.ones(3))
    given = names()
    if "opt = " not in block and "opt" in block:
        given["opt"] = fs.Adam(given["params"])

    code = block.replace("/data/scratch", str(tmp_path)).replace("\n    ...\n", "\n    pass\n")
    exec(compile(code, "README.md", "exec"), given)


def test_the_blocks_are_found() -> None:
    assert len(BLOCKS) > 10
