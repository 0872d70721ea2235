"""Memory that runs out while something is made: a MemoryError, and everything as before."""

from __future__ import annotations

import sys

import pytest

from support.programs import output

if sys.platform != "linux":
    pytest.skip("limits its own address space", allow_module_level=True)

LIMITED = """
import resource
import numpy as np, ferrostep as fs
from support.programs import digest
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


WORKSPACE = (
    LIMITED
    + """
p = np.ones((16, 400_000), np.float32)
opt, g = fs.Muon([p]), p * 2
opt.init_state()
before = digest(opt)
with Little(p.nbytes * 3):  # of the four to seven, by tier, that the step needs
    print(fails(lambda: opt.step([g])), opt.state[0]["step"])
print(digest(opt) == before)
with Little(p.nbytes * 12):
    print(opt.step([g]).applied)
"""
)


def test_while_the_workspace_of_a_matrix_is_made() -> None:
    assert output(WORKSPACE) == ["True 0", "True", "True"]


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
from support.programs import digest

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


NORM = (
    LIMITED
    + """
from ferrostep import clip
N = 1 << 29  # one value for all of them, but 8 bytes for each 4,096
gradient = np.broadcast_to(np.float16(1), N)
p = np.zeros(N, np.float16)
opt = fs.SGD([p], lr=1.0, nonfinite={nonfinite!r})
work = {work}
with Little(N // 4096 * 8 // 2):
    print(fails(work))
print(p[0], p[-1], opt.skipped_steps, opt.state[0]["step"] if opt.state else 0)
p = np.zeros(3, np.float16)
print(fs.SGD([p], lr=1.0).step([gradient[:3]], max_norm=1.0).applied)
"""
)


@pytest.mark.parametrize(
    ("nonfinite", "work"),
    [
        ("propagate", "lambda: opt.step([gradient], max_norm=1.0)"),
        ("raise", "lambda: opt.step([gradient])"),
        ("skip", "lambda: opt.step([gradient], max_norm=1.0)"),
        ("propagate", "lambda: clip.global_norm(gradient)"),
        ("propagate", "lambda: clip.global_norm([p[:3], gradient])"),
    ],
)
def test_while_gradients_are_added_up(nonfinite: str, work: str) -> None:
    found = output(NORM.format(nonfinite=nonfinite, work=work))
    assert found == ["True", "0.0 0.0 0 0", "True"]


HUGE = """
import numpy as np
from ferrostep import clip
one = np.float32(1)
for n, count in [(2**58, 1), (2**60, 1), (2**60, 5000)]:
    try:
        clip.global_norm([np.broadcast_to(one, n)] * count)
    except MemoryError:
        print("refused")
print(clip.global_norm(np.broadcast_to(one, (2**40, 2**20, 0))))
"""


def test_more_elements_than_any_memory_has_sums_for() -> None:
    assert output(HUGE) == ["refused"] * 3 + ["0.0"]


MANY = (
    LIMITED
    + """
from ferrostep import clip
many = [np.ones(2, np.float32)[::2] for _ in range(50_000)]
print(clip.global_norm(many) == np.sqrt(len(many)))
failed = 0
for more in range(0, 12_000_000, 500_000):
    with Little(more):
        failed += fails(lambda: clip.global_norm(many))
print(failed > 3, clip.global_norm(many) == np.sqrt(len(many)))
"""
)


def test_while_many_small_gradients_are_added_up() -> None:
    assert output(MANY) == ["True", "True True"]
