"""Memory that runs out while something is made: a MemoryError, and everything as before."""

from __future__ import annotations

import sys

import pytest

from programs import output

if sys.platform != "linux":
    pytest.skip("limits its own address space", allow_module_level=True)

LIMITED = """
import resource
import numpy as np, ferrostep as fs
from programs import digest
fs.set_num_threads(1)

class Little:
    def __init__(self, more):
        self.more, self.old = more, resource.getrlimit(resource.RLIMIT_AS)
    def __enter__(self):
        with open("/proc/self/statm") as f:
            used = int(f.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + self.more, self.old[1]))
    def __exit__(self, *_):
        resource.setrlimit(resource.RLIMIT_AS, self.old)

def fails(work):
    try:
        work()
    except MemoryError:
        return True
    return False

N = 20_000_000
"""

STATE = (
    LIMITED
    + """
params = [np.ones(N, np.float32) for _ in range(2)]
grads = [p * 2 for p in params]
opt = fs.Adam(params, **{options})
with Little(N * 4 * 5 // 2):  # two arrays of four
    print(fails(lambda: opt.step(grads, max_norm={max_norm})), len(opt.state), opt.skipped_steps)
print(all((p == 1).all() for p in params))
opt.step(grads)
print([opt.state[i]["step"] for i in (0, 1)], [float(p[0]) for p in params])
"""
)


@pytest.mark.parametrize("max_norm", [None, 1.0])
@pytest.mark.parametrize("options", [{}, {"nonfinite": "skip"}, {"state_dtype": "float32"}])
def test_while_state_is_made(options: dict[str, str], max_norm: float | None) -> None:
    found = output(STATE.format(options=options, max_norm=max_norm))
    assert found[:2] == ["True 0 0", "True"]
    assert found[2].startswith("[1, 1] [0.99")


LOADING = (
    LIMITED
    + """
opt = fs.Adam([np.ones(N, np.float32)])
opt.step([np.ones(N, np.float32)])
before = digest(opt)
saved = opt.state_dict()
with Little(N * 6):  # one array of two
    print(fails(lambda: opt.load_state_dict(saved)))
print(digest(opt) == before)
opt.load_state_dict(saved)
print(digest(opt) == before)
"""
)


def test_while_state_is_loaded() -> None:
    assert output(LOADING) == ["True"] * 3


THREADS = """
import os, resource, threading
import numpy as np, ferrostep as fs
from programs import digest

def run():
    p = np.linspace(-1, 1, 1_000_003, dtype=np.float32)
    opt, g = fs.Adam([p]), p * 2
    for _ in range(3):
        opt.step([g])
    return digest(opt)

with fs.num_threads(1):
    wanted = run()
if os.getuid() == 0:
    os.setuid(65534)  # no limit holds for root
limit = resource.getrlimit(resource.RLIMIT_NPROC)
resource.setrlimit(resource.RLIMIT_NPROC, (1, limit[1]))
try:
    threading.Thread(target=print).start()
except RuntimeError:
    print("no threads")
with fs.num_threads(5):
    print(run() == wanted)
    resource.setrlimit(resource.RLIMIT_NPROC, limit)
    print(run() == wanted)
"""


def test_a_system_that_gives_no_threads() -> None:
    assert output(THREADS) == ["no threads", "True", "True"]
