"""The end of the interpreter while threads and pools live: exit code 0, no crash, no hang."""

from __future__ import annotations

import pytest

from programs import output

#: A daemon thread is in a step for most of the time; the main thread ends somewhere in it.
DAEMON = """
import random, threading, time
import ferrostep as fs
from programs import gradients, made
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
