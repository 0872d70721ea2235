"""The stand-in for a device is called as CuPy is: its surface against the installed CuPy."""

from __future__ import annotations

import inspect
import re
import sys

import numpy as np
import pytest

if sys.platform != "linux":
    pytest.skip("CuPy is on PyPI for Linux and Windows", allow_module_level=True)

import cupy

from support import device

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def positional(function: object) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind in POSITIONAL]


@pytest.mark.parametrize("function", device.FUNCTIONS, ids=lambda f: f.__name__)
def test_functions_take_what_cupys_take(function: object) -> None:
    real = inspect.signature(device.REAL[function.__name__]).parameters
    ours = positional(function)
    for name in ours:
        assert name in real, f"cupy.{function.__name__} takes no {name}"
    # What is passed by position stands in the same place.
    required = [
        n for n in ours if inspect.signature(function).parameters[n].default is inspect._empty
    ]
    assert positional(device.REAL[function.__name__])[: len(required)] == required


def test_kernels_are_made_and_called_as_cupys() -> None:
    module = inspect.getdoc(device.REAL_RAW_MODULE) or ""
    assert re.search(r"RawModule\(str code=None", module)
    assert hasattr(device.REAL_RAW_MODULE, "get_function")
    kernel = device.REAL_RAW_KERNEL
    call = inspect.getdoc(kernel.__call__) or ""
    assert "(self, grid, block, args" in call
    assert positional(device.RawKernel.__call__) == ["self", "grid", "block", "args"]
    assert "log_stream" in (inspect.getdoc(kernel.compile) or "")


def test_what_is_subtracted_is_subtracted_by_a_function_of_two() -> None:
    assert (device.REAL_SUBTRACT.nin, device.REAL_SUBTRACT.nout) == (2, 1)


def test_devices_and_streams() -> None:
    assert {"__enter__", "__exit__", "id"} <= set(dir(device.REAL_DEVICE))
    assert "device_id" in (inspect.getdoc(device.REAL_CURRENT_STREAM) or "")
    assert "ptr" in (inspect.getdoc(device.REAL_STREAM) or "")
    assert "__cuda_stream__" in (inspect.getdoc(device.REAL_STREAM.from_external) or "")


def test_arrays_are_cupys_own() -> None:
    array = device.to_device(np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1])
    assert type(array) is cupy.ndarray
    assert array.strides == (12, -4)
    assert (device.to_host(array) == np.arange(6).reshape(2, 3)[:, ::-1]).all()
