"""``python -m ferrostep cuda-source``: the CUDA source of a class's update kernel, to read."""

from __future__ import annotations

import argparse
import ast
from typing import Any

from ferrostep import _native, optimizers
from ferrostep.optimizer import Optimizer

DTYPES = ("float16", "bfloat16", "float32", "float64")
_WORDS = {"true": True, "false": False, "none": None, "inf": float("inf")}


def cuda_source(
    optimizer: type[Optimizer],
    param: str = "float32",
    grad: str | None = None,
    state: str | None = None,
    ndim: int = 2,
    **options: Any,
) -> str:
    """Return the update kernel of a class with these options, complete and ready for NVRTC.

    Parameters
    ----------
    optimizer
        The class.
    param, grad, state
        The names of the arrays' dtypes; the gradient's default is the parameter's, the state's
        is the option `state_dtype`, or else the type computed in.
    ndim
        How many axes the parameter has: matrices of Adafactor have other kernels than the rest.
    **options
        The class's options, its defaults for the rest.

    Returns
    -------
    str
        CUDA C++, which a C++ compiler takes as well.

    Raises
    ------
    ValueError, TypeError
        If an option or a dtype is not as it must be.

    Examples
    --------
    >>> import ferrostep as fs
    >>> from ferrostep.cuda_source import cuda_source
    >>> text = cuda_source(fs.Momentum)
    >>> print(next(line for line in text.splitlines() if "new_v = " in line))
        new_v = sub_rn(mul_rn(k.momentum, v), mul_rn(k.lr, g));
    """
    read = optimizer(**options).defaults
    state = state or read["state_dtype"]
    return _native.cuda_source(optimizer.RULE, read, param, grad or param, state, ndim)


def classes() -> dict[str, type[Optimizer]]:
    """Return every optimizer by its name, aliases included."""
    return {name: getattr(optimizers, name) for name in optimizers.__all__}


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("optimizer", help=f"one of {', '.join(classes())}", metavar="CLASS")
    parser.add_argument("--param", default="float32", choices=DTYPES, help="default float32")
    parser.add_argument("--grad", choices=DTYPES, help="default: the parameter's")
    parser.add_argument("--state", choices=DTYPES, help="default: the type computed in")
    parser.add_argument("--ndim", type=int, default=2, help="the parameter's axes; default 2")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option of the class, such as amsgrad=true or betas=(0.9,0.99)",
    )


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    """Print the source that the arguments ask for."""
    optimizer = classes().get(arguments.optimizer)
    if optimizer is None:
        parser.error(f"no class {arguments.optimizer!r}; there are {', '.join(classes())}")
    known = list(optimizer._schema().checks)
    options: dict[str, Any] = {}
    for item in arguments.set:
        name, equals, text = item.partition("=")
        if not equals:
            parser.error(f"--set must be OPTION=VALUE, found {item!r}")
        if name not in known:
            parser.error(f"{arguments.optimizer} has no option {name!r}; it has {', '.join(known)}")
        options[name] = _value(text)
    kinds = (arguments.param, arguments.grad, arguments.state)
    try:
        print(cuda_source(optimizer, *kinds, arguments.ndim, **options), end="")
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    return 0
