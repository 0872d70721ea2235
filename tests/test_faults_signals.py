"""Ctrl-C at any moment: every parameter is at the same whole step, and its bits are the run's."""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import pytest

from support.programs import limited, output, start

if not hasattr(signal, "setitimer"):
    pytest.skip("this system has no timers", allow_module_level=True)

TIMER = """
import random, signal, time
import numpy as np, ferrostep as fs
from support.programs import Interrupts, Run, counts, digest, gradients, made

interrupts = Interrupts(signal.SIGALRM)

def interrupted(work, longest):
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, longest))
    interrupts.during(work)
"""

#: What is left of loading one thing after the other: the places among `wanted`.
LEFT = (
    TIMER
    + """
def left(loads, told, wanted):
    def back_and_forth():
        for load in loads:
            load()

    back_and_forth()
    begun = time.perf_counter()
    back_and_forth()
    longest = 2 * (time.perf_counter() - begun)  # whatever else this machine does
    seen = set()
    for _ in range(300):
        interrupted(back_and_forth, longest)
        seen.add(wanted.index(told()))
    return seen
"""
)

STEPPING = (
    TIMER
    + """
run, grads = Run({options}), gradients()
firsts = 0
for i in range({rounds}):
    if i % 3 == 0:
        opt = made({options})
    first = random.choice((0.00001, 0.0002))
    interrupted(lambda: opt.step(grads), first if i % 3 == 0 else 0.02)
    steps = counts(opt)
    assert len(set(steps)) == 1, steps
    assert digest(opt) == run.at(steps[0]), steps
    firsts += steps[0] == 0
print(firsts > 0)
"""
)

OPTIONS = {
    "native": "",
    "reference": "backend='reference'",
    "state on disk": "state_factory=fs.MemmapState('/tmp')",
    "checked": "nonfinite='skip'",
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_steps(options: str) -> None:
    assert output(STEPPING.format(options=options, rounds=60)) == ["True"]


@pytest.mark.long
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_steps_many_times(options: str) -> None:
    assert output(STEPPING.format(options=options, rounds=2000), timeout=900) == ["True"]


LOADING = (
    LEFT
    + """
import copy
opt = made(nonfinite="skip")
opt.step(gradients())
first = copy.deepcopy(opt.state_dict())
opt.step(gradients())
opt.step([np.full_like(g, np.nan) for g in gradients()])
opt.param_groups[0]["lr"] = 0.5
second = copy.deepcopy(opt.state_dict())

def told(saved):
    group, state = saved["param_groups"][0], saved["state"]
    return group["lr"], saved["skipped_steps"], [s["step"] for s in state.values()], [
        s["exp_avg"].tobytes() for s in state.values()]

loads = [lambda: opt.load_state_dict(first), lambda: opt.load_state_dict(second)]
wanted = [told(first), told(second)]
print(left(loads, lambda: told(opt.state_dict()), wanted))
"""
)


def test_loading() -> None:
    assert output(LOADING) == ["{0, 1}"]


CHECKPOINTS = (
    LEFT
    + """
import os, tempfile
opt = made(nonfinite="skip")
schedule = fs.schedulers.StepLR(opt, 1, gamma=0.5)
parts = {"optimizer": opt, "params": opt.param_groups[0]["params"], "schedulers": schedule}
folder = tempfile.mkdtemp()
paths = [os.path.join(folder, name) for name in ("first", "second")]

def told():
    return digest(opt), opt.param_groups[0]["lr"], schedule.state_dict()

wanted = []
for path in paths:
    opt.step(gradients())
    schedule.step()
    fs.save_checkpoint(path, **parts)
    wanted.append(told())

loads = [lambda path=path: fs.load_checkpoint(path, **parts) for path in paths]
print(left(loads, told, wanted))
"""
)


def test_loading_checkpoints() -> None:
    assert output(CHECKPOINTS) == ["{0, 1}"]


ADDING = (
    TIMER
    + """
grown = 0
for _ in range(200):
    arrays = iter([np.ones(3) for _ in range(10_000)])
    opt = fs.SGD({"start": np.ones(3)})
    def add():
        opt.add_param_group({"params": {f"p{len(opt.param_groups)}": next(arrays)}})
    interrupted(add, 0.001)
    grown = max(grown, len(opt.param_groups))
    held = [p for group in opt.param_groups for p in group["params"]]
    names = [name for group in opt.param_groups for name in group["param_names"]]
    opt.step({name: np.ones(3) for name in names})
    assert all((p == 0.999).all() for p in held) and len(opt.state) == len(held)
print(grown > 1)
"""
)


def test_adding_groups() -> None:
    assert output(ADDING) == ["True"]


KILLED = """
import signal
from support.programs import Interrupts, Run, counts, digest, gradients, made
interrupts = Interrupts(signal.SIGINT)
opt, grads, run = made(), gradients(), Run()
print("ready", flush=True)
while True:
    interrupts.during(lambda: opt.step(grads))
    steps = counts(opt)
    if len(set(steps)) != 1 or digest(opt) != run.at(steps[0]):
        raise SystemExit(f"torn at {steps}")
    print(steps[0], flush=True)
    if sys.stdin.readline() == "stop\\n":
        raise SystemExit
"""


def kill_at_random(rounds: int) -> None:
    seen = [0]
    with limited(start(KILLED), 60 + rounds) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        for i in range(rounds):
            time.sleep(0.001 + random.random() * 0.03)
            os.kill(program.pid, signal.SIGINT)
            line = program.stdout.readline()
            assert line, program.communicate()[1]
            seen.append(int(line))
            program.stdin.write("stop\n" if i == rounds - 1 else "on\n")
            program.stdin.flush()
        assert program.wait(30) == 0
    assert seen == sorted(seen)
    assert seen[-1] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="no signal from another process")
def test_kill_from_outside() -> None:
    kill_at_random(40)


@pytest.mark.long
def test_kill_from_outside_many_times() -> None:
    kill_at_random(1000)
