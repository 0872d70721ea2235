"""Tables for notebooks: HTML without script, style or anything from elsewhere, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return a table; a row's last cell takes the columns that are left."""
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "\n".join(_row(row, len(head)) for row in rows)
    return f"<table>{told}\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>"


def folded(summary: str, inside: str) -> str:
    """Return what is shown once it is asked for."""
    return f"<details><summary>{escape(summary)}</summary>\n{inside}\n</details>"


def paragraph(text: str) -> str:
    """Return a text that stands alone."""
    return f"<p>{escape(text)}</p>"


def preformatted(text: str) -> str:
    """Return a text as it is."""
    return f"<pre>{escape(text)}</pre>"


def _row(cells: Sequence[str], columns: int) -> str:
    *most, last = map(escape, cells)
    left = columns - len(most)
    span = f' colspan="{left}"' if left > 1 else ""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in most) + f"<td{span}>{last}</td></tr>"
