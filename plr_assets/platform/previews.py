"""What an asset page shows at a glance: the head of a table, a small figure, as markdown.

Belongs here: turning frames and pictures into markdown. Does not belong here: choosing what is worth showing (`defs`).
Events keep it for ever, so previews stay small.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl


def markdown_table(frame: pl.DataFrame, rows: int = 10) -> str:
    """The first rows as a markdown table, and how many there are."""
    names = frame.columns
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_text(value) for value in row) + " |" for row in frame.head(rows).iter_rows()]
    more = f"\n\n{frame.height} rows in all" if frame.height > rows else ""
    return "\n".join(lines) + more


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def inline_png(image: bytes, caption: str) -> str:
    return f"![{caption}](data:image/png;base64,{base64.b64encode(image).decode()})"
