"""thinc's own tests, with ours in the place of `thinc.api.Optimizer`, `Adam`, `RAdam` and `SGD`.

Those that train want data sets from the network; `peers.thinc_data` has some of the same form.
"""

from importlib.util import find_spec
from pathlib import Path

from peers.suite import Suite

_SPEC = find_spec("thinc.tests")
_HERE = Path(_SPEC.submodule_search_locations[0]) if _SPEC else Path("thinc is not installed")  # type: ignore[index]

SUITES = (
    Suite(
        "thinc",
        tuple(
            str(_HERE / name)
            for name in (
                "test_optimizers.py",
                "test_config.py",
                "test_schedules.py",
                "test_serialize.py",
                "layers",
                "model",
                "shims",
            )
        ),
        "peers.thinc_in_place",
        {"PYTEST_ADDOPTS": "--slow"},
    ),
)
