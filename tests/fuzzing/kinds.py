"""The kinds of calls and of changes, each as often as it should come."""

from __future__ import annotations

TOUCHES = (
    "read-only",
    "writable",
    "writable",
    "fill",
    "fill",
    "flat",
    "split",
    "integers",
    "swapped",
    "floats",
    "shorter",
    "longer",
)
EDITS = (
    "append",
    "pop",
    "replace",
    "no lr",
    "no params",
    "other params",
    "fewer params",
    "reorder",
    "tidy",
    "tidy",
    "in place",
)
MANGLES = ("replace", "remove", "add", "shape", "dtype", "negative", "twice", "reversed")
COPIES = ("copy", "deepcopy", "pickle")
CALLS = {
    "step": 40,
    "again": 15,
    "update": 12,
    "option": 6,
    "set": 4,
    "make": 7,
    "array": 5,
    "alias": 1,
    "touch": 3,
    "touch_state": 2,
    "edit": 1.5,
    "add": 4,
    "load": 4,
    "copied": 2,
    "rebind": 2,
    "replace": 4,
    "remove": 1,
    "interrupted": 2,
    "raced": 0.5,
    "snapshot": 1,
    "reset": 1,
    "drop": 0.5,
    "threads": 0.5,
    "tier": 1,
    "clip": 2,
    "schedule": 0.5,
    "tick": 1.5,
    "look": 1,
}
