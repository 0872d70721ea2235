"""Other libraries' forms of what is here; each is imported when it is asked for."""

from typing import TYPE_CHECKING

from ferrostep.later import later

__all__ = ["keras", "scipy", "sklearn", "thinc", "torch"]

if TYPE_CHECKING:
    from ferrostep.compat import keras, scipy, sklearn, thinc, torch
else:
    __getattr__ = later(__name__, *__all__)


def __dir__() -> list[str]:
    return __all__
