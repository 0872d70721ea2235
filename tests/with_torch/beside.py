"""A run of ours beside one of torch's: the same parameters, gradients and options.

Bounds. Kernels of torch fuse multiplications into additions, so no bits can be compared. An error
is measured by the largest magnitude that its element has had up to then (its reach): what is
rounded while a value is large stays in it when it passes close to 0.

In float64 two runs may differ by `EXACT`, 4,500 units in the last place.

In float32 the same run in float64, by torch, is taken as the truth, since both have the same
starting values and gradients. torch's own float32 run has some distance from it. Ours has roundings
at the same places, or one more where theirs are fused: two for one. So its distance may be twice
torch's, and a unit for each step, which is what is left where theirs happens to be small.

What a formula makes of roundings can be more: where gradient and weight decay cancel, or in
`RMSprop(centered=True)`. So where a bound is passed, `SHAKEN` other runs of torch's in float64 say
how much, whose parameters and gradients are moved by a unit in the last place before each step, up
or down: twice the largest of their distances is the bound then. This is asked for about once in a
hundred random option sets in float32, and once in thousands in float64.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ferrostep.compat import torch as compat
from ferrostep.presets.torch import ALIKE

#: The classes that both have: of dense gradients, and whose state is of the parameter's shape.
NAMES = [n for n, row in ALIKE.items() if not (row.cls.ROWS_ONLY or row.cls.FACTORS)]
OURS: dict[str, Any] = {name: getattr(compat, name) for name in NAMES}
THEIRS: dict[str, Any] = {name: getattr(torch.optim, name) for name in NAMES}

EXACT = 1e-12
SHAKEN = 8
#: Empty, none, odd, and long enough for every tail of a vector loop.
SHAPES = [(0,), (), (1,), (7,), (3, 5), (2, 3, 4), (67,)]

Tensors = list[torch.Tensor]
Make = Callable[[Tensors], torch.optim.Optimizer]


def strided(values: torch.Tensor, kind: int) -> torch.Tensor:
    """Return the same values in other places: one after the other, backwards in axes, with gaps."""
    if kind == 1 and values.ndim > 1:
        return (
            values.permute(*reversed(range(values.ndim)))
            .contiguous()
            .permute(*reversed(range(values.ndim)))
        )
    if kind == 2 and values.ndim:
        wide = torch.zeros(*values.shape, 2, dtype=values.dtype)
        wide[..., 0] = values
        return wide[..., 0]
    return values.clone()


def values(seed: int, shapes: Sequence[tuple[int, ...]] = SHAPES) -> Tensors:
    """Return float32 numbers."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def parameters(start: Tensors, dtype: torch.dtype) -> Tensors:
    made = [strided(x.to(dtype), i % 3) for i, x in enumerate(start)]
    return [x.requires_grad_() for x in made]


def give(params: Tensors, gradients: Sequence[torch.Tensor | None]) -> None:
    for i, (p, g) in enumerate(zip(params, gradients, strict=True)):
        p.grad = None if g is None else strided(g.to(p.dtype), (i + 1) % 3)


@contextmanager
def numbers_as(dtype: torch.dtype) -> Iterator[None]:
    """Let torch keep the numbers that a rule remembers as wide as such parameters need them.

    They are of its default type, float32, whatever the parameters are. Ours are float64.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if dtype == torch.float64 else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def remembered(name: str) -> set[str]:
    """The numbers in the state of a class, but for its count of steps."""
    return {*OURS[name]._ours._schema().memory}


def content(optimizer: torch.optim.Optimizer, params: Tensors) -> Iterator[dict[str, torch.Tensor]]:
    """Yield what a run has come to, for each parameter: itself and its state."""
    for p in params:
        state = {name: x for name, x in optimizer.state.get(p, {}).items() if x is not None}
        yield {"p": p.detach(), **state}


def run(
    make: Make,
    start: Tensors,
    gradients: Sequence[Sequence[torch.Tensor | None]],
    dtype: torch.dtype = torch.float64,
    between: Callable[[int, torch.optim.Optimizer], None] = lambda *_: None,
    shake: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> list[list[dict[str, torch.Tensor]]]:
    """Return what was there at first and after each step, in float64."""
    params = parameters(start, dtype)
    with numbers_as(dtype):
        optimizer = make(params)
        seen = [[{"p": p.detach().double().clone()} for p in params]]
        for t, each in enumerate(gradients):
            give(params, [shake(g) if shake and g is not None else g for g in each])
            for p in params if shake else ():
                p.data.copy_(shake(p.data))
            between(t, optimizer)
            optimizer.step()
            now = content(optimizer, params)
            seen.append(
                [{k: torch.as_tensor(x).double().clone() for k, x in e.items()} for e in now]
            )
    return seen


def distances(
    found: list[list[dict[str, torch.Tensor]]], truth: list[list[dict[str, torch.Tensor]]]
) -> dict[str, float]:
    """Return the largest distance of each name, by the reach of its element."""
    largest: dict[str, float] = {}
    reaches: list[dict[str, torch.Tensor]] = [{} for _ in truth[0]]
    for now, wanted in zip(found, truth, strict=True):
        for reach, a, b in zip(reaches, now, wanted, strict=True):
            assert a.keys() == b.keys()
            for name, x in b.items():
                assert a[name].shape == x.shape, name
                reach[name] = torch.maximum(reach.get(name, torch.zeros(())), x.abs())
                error = (a[name] - x).abs() / reach[name].clamp_min(1e-300)
                worst = error.max().item() if error.numel() else 0.0
                assert worst == worst, name
                largest[name] = max(largest.get(name, 0.0), worst)
    return largest


class Shake:
    """Moves numbers by a unit in the last place, up or down."""

    def __init__(self, seed: int, unit: float) -> None:
        self.generator, self.unit = torch.Generator().manual_seed(seed), unit

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        up = torch.randint(2, x.shape, generator=self.generator).double() * 2 - 1
        return x.double() * (1 + up * self.unit)


def compare(
    name: str,
    make: Callable[[Any, Tensors], torch.optim.Optimizer],
    start: Tensors,
    gradients: Sequence[Sequence[torch.Tensor | None]],
    **more: Any,
) -> None:
    """Hold ours against torch's in both types."""
    doubles = run(lambda ps: make(THEIRS[name], ps), start, gradients, **more)

    def hold(found: dict[str, float], bounds: dict[str, float], dtype: torch.dtype) -> None:
        for seed in range(SHAKEN):
            if all(error <= bounds[what] for what, error in found.items()):
                return
            shake = Shake(seed, torch.finfo(dtype).eps)
            others = run(lambda ps: make(THEIRS[name], ps), start, gradients, shake=shake, **more)
            for what, error in distances(others, doubles).items():
                bounds[what] = max(bounds[what], 2 * error)
        for what, error in found.items():
            assert error <= bounds[what], f"{dtype} {what}: {error}, bound {bounds[what]}"

    found = run(lambda ps: make(OURS[name], ps), start, gradients, **more)
    hold(distances(found, doubles), defaultdict(lambda: EXACT), torch.float64)
    singles = run(lambda ps: make(THEIRS[name], ps), start, gradients, torch.float32, **more)
    found = run(lambda ps: make(OURS[name], ps), start, gradients, torch.float32, **more)
    rest = len(gradients) * torch.finfo(torch.float32).eps
    bounds = {what: 2 * error + rest for what, error in distances(singles, doubles).items()}
    hold(distances(found, doubles), bounds, torch.float32)
