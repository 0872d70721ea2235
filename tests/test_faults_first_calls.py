"""A signal's handler that raises at any moment of a process's very first calls."""

from __future__ import annotations

import os

import pytest

from support.programs import output

if not hasattr(os, "fork"):
    pytest.skip("this system has no fork", allow_module_level=True)

#: Forks for each moment, so that whatever is done once in a process is still to be done. A profile
#: hook reaches every moment at which a handler could run, and ends itself by raising.
PROGRAM = """
import os, signal, sys
import numpy as np, ferrostep as fs

class Sub(np.ndarray):
    pass

p, g = np.ones(3), np.ones(3)
bad = np.full(3, np.nan)

def bound():
    w = p.copy()
    opt = fs.SGD([w], lr=0.5)
    opt.step([g])
    return lambda: opt.step([g])

def by_name():
    opt = fs.Adam({{"w": p.copy().view(Sub)}})
    opt.step({{"w": g.view(Sub)}}, max_norm=np.float64(1.0))
    return lambda: opt.step({{"w": g}})

def unbound():
    w, opt = {{"w": p.copy()}}, fs.Adam()
    opt.update(w, {{"w": g}})
    return lambda: opt.update(w, {{"w": g}})

def reference():
    opt = fs.Adam([p.copy()], backend="reference")
    opt.step([g])
    return lambda: opt.step([g])

def skipped():
    opt = fs.SGD([p.copy()], lr=0.5, nonfinite="skip")
    assert opt.step([bad]).nonfinite == 0
    return lambda: opt.step([g])

def norm():
    assert fs.clip.global_norm([g, g.view(Sub), g]) == 3.0
    fs.clip.clip_by_global_norm([p.copy()], 1.0)
    return bound

def until(n, work):
    # Whether that was beyond its last moment; the program's end if anything else is raised.
    left = n

    def hook(*_):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    sys.setprofile(hook)
    try:
        work()
    except KeyboardInterrupt:
        assert left < 0
    finally:
        sys.setprofile(None)
    work()()  # all of it is well afterwards
    return left >= 0

def child(n):
    signal.alarm(60)
    status = 3
    try:
        status = 0 if until(n, {work}) else 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(status)

n = 0
while True:
    pid = os.fork()
    if pid == 0:
        child(n)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status == 0:
        break
    assert status == 1, (n, status)
    n += 1 + n // 100 * 10  # every one of the first hundred
print(n > 10)
"""


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("work", ["bound", "by_name", "unbound", "reference", "skipped", "norm"])
def test_nothing_but_the_exception_comes_out(work: str) -> None:
    assert output(PROGRAM.format(work=work)) == ["True"]


def test_nothing_is_imported_to_learn_that_nothing_is_masked() -> None:
    program = """
import sys
import numpy as np, ferrostep as fs
class Sub(np.ndarray):
    pass
before = set(sys.modules)
w, g = np.ones(3).view(Sub), np.ones(3).view(Sub)
fs.SGD([w], lr=0.5).step([g])
fs.SGD(lr=0.5).update({"w": w}, {"w": g})
fs.clip.clip_by_value([w], 1.0)
print(sorted(set(sys.modules) - before))
"""
    assert output(program) == ["[]"]
