"""Stable-Baselines3's PPO and A2C with our optimizers: the parameters are those of torch's.

Both sides have the same seeds and one thread. What the environment shows follows from the
parameters, so that a difference in one update is in all that come after it. The formulas are the
same and their roundings are not, since torch's kernels fuse operations: of parameters of about 1
that makes 1e-7 in the first updates, and BOUND leaves room for what grows from it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import ferrostep as fs
from benchmarks import reinforcement
from benchmarks.reinforcement import (
    ALGORITHMS,
    BOUND,
    UPDATES,
    Algorithm,
    furthest,
    trace,
    traces,
)

EACH = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.name)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    with fs.num_threads(1):
        reinforcement.on_one_thread()
        yield
    torch.set_num_threads(threads)


def small(algorithm: Algorithm, contender: str, seed: int = 0) -> Any:
    return algorithm.model(contender, seed, **algorithm.brief)


@EACH
@pytest.mark.parametrize("seed", range(3))
def test_the_first_updates_are_those_of_torch(algorithm: Algorithm, seed: int) -> None:
    ours, theirs = traces(algorithm, seed)
    assert len(ours) > UPDATES
    moved = furthest(theirs[:1], theirs[-1:])
    assert moved > 100 * BOUND, "it has learned next to nothing, and so says nothing"
    assert furthest(ours, theirs) <= BOUND


@EACH
def test_the_options_written_out_are_those_of_the_default(algorithm: Algorithm) -> None:
    """Stable-Baselines3 gives them to no class but its own default."""
    cls = type(small(algorithm, "torch"))
    default = cls("MlpPolicy", "CartPole-v1", seed=0, device="cpu", **algorithm.brief)
    written = small(algorithm, "torch")
    assert type(default.policy.optimizer) is type(written.policy.optimizer)
    assert default.policy.optimizer.defaults == written.policy.optimizer.defaults
    ours = small(algorithm, "ferrostep").policy.optimizer
    assert isinstance(ours, type(written.policy.optimizer))
    assert {n: ours.defaults[n] for n in written.policy.optimizer.defaults} == (
        written.policy.optimizer.defaults
    )


@EACH
def test_a_saved_model_goes_on_as_torchs(algorithm: Algorithm) -> None:
    """The file has the class and its state; what is loaded begins a new episode."""
    ends = []
    for contender in ("ferrostep", "torch"):
        model = small(algorithm, contender)
        trace(model, 5)
        file = io.BytesIO()
        model.save(file)
        file.seek(0)
        loaded = type(model).load(file, env=model.get_env(), device="cpu")
        assert type(loaded.policy.optimizer) is type(model.policy.optimizer)
        loaded.set_random_seed(1)
        ends.append(trace(loaded, 5))
    assert furthest(*ends) <= BOUND


@EACH
def test_the_optimizers_part_is_measured(algorithm: Algorithm) -> None:
    model = small(algorithm, "ferrostep")
    updates = 512 // model.n_steps
    found = reinforcement.outcome(model, updates * model.n_steps)
    assert found.steps == len(trace(small(algorithm, "ferrostep"), updates)) - 1
    assert 0 < found.in_optimizer < found.whole
    assert 1 <= found.mean_return <= 500
