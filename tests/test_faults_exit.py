"""The end of the interpreter while threads and pools live: exit code 0, no crash, no hang."""

from __future__ import annotations

import pytest

from support.programs import output

#: A daemon thread is in a step for most of the time; the main thread ends somewhere in it.
DAEMON = """
import random, threading, time
import ferrostep as fs
from support.programs import gradients, made
opt, grads = made(), gradients()
opt.step(grads)

def train():
    with fs.num_threads(3):
        while True:
            opt.step(grads)

threading.Thread(target=train, daemon=True).start()
time.sleep(random.random() * 0.02)
"""

ENDINGS = {
    "while a daemon thread steps": "",
    "a step at exit": """
import atexit
atexit.register(lambda: print(opt.step(grads).applied))
""",
    "a first pool at exit": """
import atexit
def late():
    with fs.num_threads(7):
        print(made().step(grads).applied)
atexit.register(late)
""",
    "what is deleted last": """
class Late:
    def __init__(self):
        self.opt, self.grads, self.other, self.write = opt, grads, made(), os.write
        self.other.step(grads)
    def __del__(self):
        assert self.other.step(self.grads).applied
        try:
            self.opt.step(self.grads)
        except RuntimeError as error:
            if "the interpreter is ending" not in str(error):
                return
        self.write(1, b"True\\n")
import os
sys.modules["late"] = Late()
""",
    "in sys.exit": """
import atexit
late = lambda: print(opt.state_dict()["state"][0]["step"] > 0)
atexit.register(late)
sys.exit(0)
""",
}


#: What a daemon thread does over and over: each calls Python code within a step, where CPython
#: before 3.14 ends the thread by unwinding whatever has called it.
CALLING = {
    "options that change": 'opt.param_groups[0]["betas"] = (0.5, 0.9 - 1e-6 / i); opt.step([g])',
    "gradients that are read in Python": "opt.step(Many([g]))",
    "gradients that are converted": "opt.step([Odd()])",
    "first updates": "fs.SGD(lr=0.1).update([p], [g])",
    "state from a factory": "fs.Momentum([p], state_factory=factory).step([g])",
    "the reference": "reference.step([g], max_norm=1.0)",
    "bounds that Python reads": "opt.step([g], max_norm=np.array(1.0))",
    "snapshots": "opt.step([g]); opt.state_dict()",
    "errors": """
        try:
            raising.step([bad])
        except ValueError:
            pass""",
}

CALLS = """
import random, threading, time
import numpy as np, ferrostep as fs
p, g, bad = np.zeros(30_000), np.ones(30_000), np.full(30_000, np.nan)
opt, raising = fs.Adam([p]), fs.SGD([p], nonfinite="raise")
reference = fs.Adam([p], backend="reference")

class Many(list):
    pass

class Odd:
    def __array__(self, *_, **__):
        return g

def factory(key, name, like, dtype):
    return np.empty_like(like, dtype=dtype)

def train():
    i = 0
    while True:
        i += 1
        {body}

threading.Thread(target=train, daemon=True).start()
time.sleep(random.random() * 0.05)
"""


@pytest.mark.parametrize("body", CALLING.values(), ids=CALLING)
def test_a_daemon_thread_that_calls_python(body: str) -> None:
    for _ in range(6):
        assert output(CALLS.format(body=body), timeout=60) == []


@pytest.mark.long
@pytest.mark.parametrize("body", CALLING.values(), ids=CALLING)
def test_a_daemon_thread_that_calls_python_many_times(body: str) -> None:
    for _ in range(100):
        assert output(CALLS.format(body=body), timeout=60) == []


def end(ending: str, times: int) -> None:
    prints = "True" in ENDINGS[ending] or "print(" in ENDINGS[ending]
    for _ in range(times):
        assert output(DAEMON + ENDINGS[ending], timeout=60) == ["True"] * prints


@pytest.mark.parametrize("ending", ENDINGS)
def test_endings(ending: str) -> None:
    end(ending, 3)


@pytest.mark.long
@pytest.mark.parametrize("ending", ENDINGS)
def test_endings_many_times(ending: str) -> None:
    end(ending, 100)
