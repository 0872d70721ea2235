"""``python -m benchmarks.reinforcement``: Stable-Baselines3 with our optimizers beside torch's.

PPO and A2C learn CartPole on the CPU. All runs are on one thread, seed by seed in turn; time is
that of the processor, so that what else the machine does counts for little.
"""

from __future__ import annotations

import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import stable_baselines3
import torch
import typer
from rich.console import Console

import ferrostep as fs
from benchmarks import machine
from benchmarks.problem import Array
from benchmarks.tables import markdown
from benchmarks.text import amount, times
from ferrostep.compat import torch as in_torch

#: Of the comparison of parameters: updates, each with a rollout of its own, and what is allowed.
UPDATES, BOUND = 20, 1e-5

#: By label where a class is, and its options beside the algorithm's.
CONTENDERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ferrostep": (in_torch, {}),
    "torch": (torch.optim, {}),
    "torch foreach": (torch.optim, {"foreach": True}),
    "torch fused": (torch.optim, {"fused": True}),
}


@dataclass(frozen=True)
class Algorithm:
    """One of Stable-Baselines3, with the optimizer that it has by default."""

    name: str
    optimizer: str
    #: Those that it gives to its default alone, not to a class that it is given.
    options: dict[str, Any]
    contenders: Sequence[str]
    #: For the comparison of parameters: shorter rollouts.
    brief: dict[str, Any]

    def model(self, contender: str, seed: int, **options: Any) -> Any:
        module, more = CONTENDERS[contender]
        policy = {
            "optimizer_class": getattr(module, self.optimizer),
            "optimizer_kwargs": {**self.options, **more},
        }
        cls = getattr(stable_baselines3, self.name)
        return cls(
            "MlpPolicy", "CartPole-v1", policy_kwargs=policy, seed=seed, device="cpu", **options
        )


PPO = Algorithm(
    "PPO",
    "Adam",
    {"eps": 1e-5},
    ("ferrostep", "torch", "torch fused"),
    {"n_steps": 64},
)
A2C = Algorithm(
    "A2C",
    "RMSprop",
    {"alpha": 0.99, "eps": 1e-5, "weight_decay": 0},
    ("ferrostep", "torch", "torch foreach"),
    {},
)
ALGORITHMS = (PPO, A2C)


@dataclass(frozen=True)
class Outcome:
    """What a run of training took and what it came to."""

    steps: int
    in_optimizer: float
    whole: float
    #: Of its last 100 episodes, the figure that Stable-Baselines3 itself shows.
    mean_return: float


def on_one_thread() -> None:
    torch.set_num_threads(1)
    fs.set_num_threads(1)


def outcome(model: Any, timesteps: int) -> Outcome:
    optimizer = model.policy.optimizer
    step, spent, steps = optimizer.step, 0.0, 0

    def watched() -> None:
        nonlocal spent, steps
        begin = time.process_time()
        step()
        spent += time.process_time() - begin
        steps += 1

    optimizer.step = watched
    begin = time.process_time()
    model.learn(timesteps)
    whole = time.process_time() - begin
    returns = [episode["r"] for episode in model.ep_info_buffer]
    return Outcome(steps, spent, whole, statistics.fmean(returns))


def trace(model: Any, updates: int) -> list[Array]:
    """Return all parameters in one, at the start and after each step of the optimizer."""
    parameters = list(model.policy.parameters())

    def flat() -> Array:
        found: Array = torch.cat([p.detach().ravel() for p in parameters]).numpy()
        return found

    kept = [flat()]
    hook = model.policy.optimizer.register_step_post_hook(lambda *_: kept.append(flat()))
    model.learn(updates * model.n_steps, reset_num_timesteps=False)
    hook.remove()
    return kept


def furthest(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """Return how far a parameter is from the other side's at most, after any step."""
    return max(float(np.abs(p - q).max()) for p, q in zip(ours, theirs, strict=True))


def traces(algorithm: Algorithm, seed: int) -> tuple[list[Array], list[Array]]:
    """Return ours and torch's over the first updates."""
    # A model seeds what all draw from: one is made and trained before the other is made.
    ours, theirs = (
        trace(algorithm.model(contender, seed, **algorithm.brief), UPDATES)
        for contender in ("ferrostep", "torch")
    )
    return ours, theirs


def runs(algorithm: Algorithm, seeds: int, timesteps: int) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {contender: [] for contender in algorithm.contenders}
    for seed in range(seeds):
        for i in range(len(found)):  # who begins moves on, as what is measured first may be slower
            contender = algorithm.contenders[(seed + i) % len(found)]
            found[contender].append(outcome(algorithm.model(contender, seed), timesteps))
    return found


def table(algorithm: Algorithm, found: dict[str, list[Outcome]]) -> str:
    ours = found["ferrostep"]
    rows = []
    for label, outcomes in found.items():
        step = statistics.median(one.in_optimizer / one.steps for one in outcomes)
        spent = statistics.median(one.in_optimizer for one in outcomes)
        whole = statistics.median(one.whole for one in outcomes)
        compared = statistics.median(one.whole for one in ours)
        returns = [one.mean_return for one in outcomes]
        rows.append(
            [
                label,
                amount(step, "s"),
                f"{amount(spent, 's')} ({spent / whole:.1%})",
                amount(whole, "s") + ("" if outcomes is ours else f" ({times(whole, compared)})"),
                f"{statistics.fmean(returns):.0f} ({min(returns):.0f} to {max(returns):.0f})",
            ]
        )
    head = [f"{algorithm.name}, {algorithm.optimizer}", "a step", "all steps", "whole run"]
    return markdown([*head, "mean return"], rows)


def verdict(algorithm: Algorithm, found: dict[str, list[Outcome]], apart: float) -> str:
    mean = statistics.fmean(one.mean_return for one in found["ferrostep"])
    theirs = [one.mean_return for one in found["torch"]]
    inside = min(theirs) <= mean <= max(theirs)
    near = apart <= BOUND
    return (
        f"{algorithm.name}: our mean return is {'inside' if inside else '**outside**'} torch's "
        f"spread. Over the first {UPDATES} updates no parameter is further from torch's than "
        f"{apart:.1e}, which is {'within' if near else '**beyond**'} {BOUND:.0e}."
    )


PAGE = """# Reinforcement learning

Written by `{command}`; not edited by hand.
{date}, {processor} ({family}), load {load:.1f} at the start; CPython {python}, torch {torch},
Stable-Baselines3 {baselines}, ferrostep {ferrostep}.

Stable-Baselines3 takes a class of optimizers. It gives options of its own to its default alone, so
they are written out here:

```python
from ferrostep.compat.torch import Adam, RMSprop

ours = dict(optimizer_class=Adam, optimizer_kwargs=dict(eps=1e-5))
PPO("MlpPolicy", "CartPole-v1", policy_kwargs=ours, device="cpu")

ours = dict(optimizer_class=RMSprop, optimizer_kwargs=dict(alpha=0.99, eps=1e-5))
A2C("MlpPolicy", "CartPole-v1", policy_kwargs=ours, device="cpu")
```

Each run is {timesteps:,} steps of CartPole-v1 on the CPU, on one thread (`torch.set_num_threads(1)`
and `ferrostep.set_num_threads(1)`), with all else as it comes. Times are of the processor, the
median over the seeds 0 to {last}: of one step of the optimizer, of all of them and their part of
the whole run, and of the whole run. A step takes longer here than in a loop of steps alone, since
what it needs has left the cache meanwhile. The return is that of the last 100 episodes, its mean
over the seeds and the least and the most of them. Parameters are compared after every step of the
optimizer, over {updates} updates with a rollout each (of PPO with rollouts of 64 steps), with the
same seed.

{found}
"""


def main(
    timesteps: Annotated[int, typer.Option(min=1000, help="Of the environment, a run.")] = 50_000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 5,
    page: Annotated[Path | None, typer.Option(help="Where to write all of it.")] = None,
) -> None:
    """Train with every optimizer; compare parameters, returns and times."""
    on_one_thread()
    place, parts = machine.describe(), []
    for algorithm in ALGORITHMS:
        apart = max(furthest(*traces(algorithm, seed)) for seed in range(seeds))
        found = runs(algorithm, seeds, timesteps)
        parts += [table(algorithm, found), verdict(algorithm, found, apart)]
        Console().print("\n\n".join(parts[-2:]), markup=False, highlight=False, soft_wrap=True)
    if page is None:
        return
    facts = {**place, "date": place["date"][:10]}
    facts["command"] = shlex.join(["python", "-m", "benchmarks.reinforcement", *sys.argv[1:]])
    facts.update(torch=torch.__version__, baselines=stable_baselines3.__version__)
    facts.update(timesteps=timesteps, last=seeds - 1, updates=UPDATES)
    page.write_text(PAGE.format(**facts, found="\n\n".join(parts)))


if __name__ == "__main__":
    typer.run(main)
