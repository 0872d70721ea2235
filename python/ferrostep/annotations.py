"""What the annotations in the body of a class say of its attributes.

They are objects, or text (a module's ``from __future__ import annotations``, or quotes), or, since
Python 3.14, evaluated when they are asked for. Here no text is evaluated.
"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import InitVar
from typing import Any, ClassVar, ForwardRef, get_origin

#: The name before the brackets, within quotes or not.
_HEAD = re.compile(r"""[\s"']*([\w.]+)""")
_FORMS: dict[str, Any] = {"ClassVar": ClassVar, "InitVar": InitVar}

if sys.version_info >= (3, 14):
    from annotationlib import Format, get_annotations

    def annotations_of(cls: type) -> dict[str, Any]:
        """Return those of this very class; of a name that is not there (yet), its text."""
        found = get_annotations(cls, format=Format.FORWARDREF)
        return {name: _text(annotation) for name, annotation in found.items()}

else:

    def annotations_of(cls: type) -> dict[str, Any]:
        """Return those of this very class, as they are there."""
        return dict(inspect.get_annotations(cls))


def is_class_var(annotation: Any, cls: type) -> bool:
    """Whether an annotation in the body of a class is a ClassVar, with brackets or without."""
    return _form(annotation, cls) is ClassVar


def is_init_var(annotation: Any, cls: type) -> bool:
    """Whether it is an InitVar."""
    return _form(annotation, cls) is InitVar


def _text(annotation: Any) -> Any:
    return annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation


def _form(annotation: Any, cls: type) -> Any:
    annotation = _text(annotation)
    if isinstance(annotation, str):
        return _named(annotation, cls)
    if isinstance(annotation, InitVar):
        return InitVar
    return get_origin(annotation) or annotation


def _named(text: str, cls: type) -> Any:
    """What the name before the brackets is in the module of the class."""
    match = _HEAD.match(text)
    first, *rest = match[1].split(".") if match else [""]
    found = vars(sys.modules.get(cls.__module__, object)).get(first)
    for name in rest:
        found = getattr(found, name, None)
    # A name that type checkers alone import, or a function, is taken at its word.
    return _FORMS.get([first, *rest][-1]) if found is None else found
