"""One run in all ways that parameters are kept: a tree, a list, with each call, in new arrays.

Whatever happens, each way has the outcome and the bits of the others.
"""

from __future__ import annotations

import pickle
from collections import Counter
from random import Random
from typing import Any

import numpy as np

import ferrostep as fs
from cases import RUNS
from ferrostep import tree
from fuzzing.arrays import FLOATS, LAYOUTS, SHAPES, laid_out, spec
from fuzzing.session import Found, settings
from support.arrays import bits
from support.trees import Layer

STEPS = 12


class Bound:
    """An optimizer that has its parameters, in a tree that its user has too."""

    def __init__(self, opt: fs.Optimizer, params: Any) -> None:
        self.opt, self.params = opt, params

    def step(self, grads: Any, scaling: dict[str, Any]) -> fs.StepInfo:
        return self.opt.step(grads, **scaling)

    def replace(self, i: int, new: Any, index: Any) -> None:
        self.opt.replace(self.opt._keys()[i], new, index)
        arrays = {**tree.flatten(self.params)}
        arrays[list(arrays)[i]] = new
        self.params = tree.unflatten(self.params, arrays)

    def copied(self) -> None:
        self.opt, self.params = pickle.loads(pickle.dumps((self.opt, self.params)))


class Flat(Bound):
    """One that has them in a list."""

    def __init__(self, opt: fs.Optimizer, params: list[Any], like: Any) -> None:
        super().__init__(opt, params)
        self.like = like

    def step(self, grads: Any, scaling: dict[str, Any]) -> fs.StepInfo:
        return self.opt.step(tree.leaves_as(self.like, grads, "gradients"), **scaling)


class Updating(Bound):
    """One that gets them with each call."""

    def step(self, grads: Any, scaling: dict[str, Any]) -> fs.StepInfo:
        return self.opt.update(self.params, grads, **scaling)

    def copied(self) -> None:
        self.opt = pickle.loads(pickle.dumps(self.opt))
        self.params = tree.map(lambda p: p.copy(order="K"), self.params)


class Renewing(Updating):
    """One that returns new ones."""

    def step(self, grads: Any, scaling: dict[str, Any]) -> fs.StepInfo:
        old = list(tree.flatten(self.params).values())
        before = [array.tobytes() for array in old]
        try:
            self.params = self.opt.updated(self.params, grads, **scaling)
        finally:
            assert [array.tobytes() for array in old] == before, "updated() has written"
        assert self.opt.last is not None
        return self.opt.last


def _tree(random: Random, kind: str, depth: int = 0) -> Any:
    if depth == 3 or (depth and random.random() < 0.5):
        if random.random() < 0.1:
            return None
        return spec(random, random.choice(SHAPES), wrong=0)._replace(dtype=kind).build()
    items = [_tree(random, kind, depth + 1) for _ in range(random.choice((1, 2, 2, 3)))]
    match random.choice(("dict", "dict", "list", "tuple", "layer")):
        case "dict":
            return {f"k{i}" if random.random() < 0.9 else f"k.{i}": x for i, x in enumerate(items)}
        case "list":
            return items
        case "layer":
            return Layer(items[0], items[-1] if len(items) > 1 else None)
    return tuple(items)


def run(seed: Any, counts: Counter[str]) -> None:
    """One random run."""
    random = Random(repr(seed))
    case, dtype = random.choice(RUNS)
    kind = "bfloat16" if np.dtype(dtype).kind == "V" else np.dtype(dtype).str
    like = _tree(random, kind)
    if not tree.flatten(like):
        return
    options = {"nonfinite": random.choice(("propagate", "skip", "raise"))}

    def own(array: Any) -> Any:
        return laid_out(array, random.choice(LAYOUTS))

    one, two, three, four = (tree.map(own, like) for _ in range(4))
    flat = list(tree.flatten(two).values())
    ways = [
        Bound(case.make(one, **options), one),
        Flat(case.make(flat, **options, backend=random.choice((None, "reference"))), flat, like),
        Updating(case.make(None, **options), three),
        Renewing(case.make(None, **options), four),
    ]
    with settings():
        for t in range(STEPS):
            fs.set_num_threads(random.choice((1, 2)))
            told = f"seed {seed!r}, {case.name} of {np.dtype(dtype).name}, step {t}"
            like = _change(random, ways, like, t, counts)
            grads = tree.map(lambda p: _gradient(random, p), like)
            scaling = random.choice(({}, {}, {"max_norm": 1.0}, {"grad_scale": 0.5}))
            outcomes = [_outcome(way, grads, scaling) for way in ways]
            counts["calls"] += len(ways)
            counts[f"step {outcomes[0][0]}"] += 1
            if any(outcome != outcomes[0] for outcome in outcomes):
                raise Found(f"{told}: {outcomes}", [])
            _compare(ways, told)


def _change(random: Random, ways: list[Any], like: Any, t: int, counts: Counter[str]) -> Any:
    """Do something to all of them, now and then; return a tree of the shapes."""
    chance = random.random()
    if chance < 0.1:
        lr = random.choice((0.1, 0.01, 1))
        for way in ways:
            way.opt.lr = lr
    elif chance < 0.2:
        counts["copied"] += 1
        for way in ways:
            way.copied()
    elif chance < 0.25:
        for way in ways:
            way.opt.load_state_dict(way.opt.state_dict())
    elif chance < 0.4 and t:
        leaves = tree.flatten(like)
        i = random.randrange(len(leaves))
        name, leaf = list(leaves.items())[i]
        if leaf.ndim and all(way.opt._layouts() for way in ways):
            counts["replaced"] += 1
            rows = random.randrange(4)
            kept = [random.randint(-1, leaf.shape[0] - 1) for _ in range(rows)]
            index = random.choice((None, kept))
            new = np.resize(leaf, (rows, *leaf.shape[1:])) if leaf.size else leaf[:0]
            if new.shape[0] != rows:
                new = np.zeros((rows, *leaf.shape[1:]), leaf.dtype)
            for way in ways:
                way.replace(i, laid_out(new, random.choice(LAYOUTS)), index)
            like = tree.unflatten(like, {**leaves, name: new})
            next(way for way in ways if isinstance(way, Flat)).like = like
    return like


def _gradient(random: Random, p: Any) -> Any:
    if random.random() < 0.15:
        return None
    return spec(random, p.shape, random.choice(FLOATS), wrong=0).build()


def _outcome(way: Any, grads: Any, scaling: dict[str, Any]) -> tuple[str, str]:
    try:
        info = way.step(grads, scaling)
    except fs.NonFiniteError:
        return ("refused", "not finite")
    return ("applied" if info.applied else "skipped", repr(info.grad_norm))


def _compare(ways: list[Any], told: str) -> None:
    """All values and states, to the bit."""
    held = [_held(way) for way in ways]
    for found in held[1:]:
        if len(found) != len(held[0]):
            raise Found(f"{told}: {len(found)} arrays and counts, not {len(held[0])}", [])
        for a, b in zip(found, held[0], strict=True):
            number = isinstance(a, int | float) or isinstance(b, int | float)
            same = repr(a) == repr(b) if number else _same(a, b)
            if not same:
                raise Found(f"{told}: {a!r} is not {b!r}", [])


def _held(way: Any) -> list[Any]:
    state = way.opt.state_dict(copy=False)["state"]
    entries = [value for entry in state.values() for value in (len(entry), *entry.values())]
    return [*tree.flatten(way.params).values(), *state, *entries]


def _same(a: Any, b: Any) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(bits(a), bits(b))
