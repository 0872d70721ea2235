"""ferrostep's classes in the place of torch's."""

from __future__ import annotations

import torch

import ferrostep as fs
from benchmarks.peers.torch_optim import Default
from ferrostep.compat import torch as in_torch


class InTorch(Default):
    arrays = 4
    module = in_torch

    def version(self) -> str:
        return f"{fs.__version__} (torch {torch.__version__})"

    def set_threads(self, n: int) -> None:
        fs.set_num_threads(n)
