"""LaTeX (booktabs) and markdown tables, and numbers as macros.

Belongs here: how texts and numbers are written for a paper. Does not belong here: which numbers (`papers`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\u2020": r"\textdagger{}",
    "\u2212": r"$-$",
    "\u2013": "--",
    "\u2192": r"$\rightarrow$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def latex(text: str) -> str:
    """`text` as LaTeX prints it, letter for letter."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


def number(value: float | None, digits: int = 2) -> str:
    """`-0.12` with a true minus; an en dash where there is no value."""
    return "\u2013" if value is None else f"{value:.{digits}f}".replace("-", "\u2212")


def with_interval(value: float | None, lower: float | None, upper: float | None, digits: int = 2) -> str:
    """`0.85 (0.78 to 0.90)`; the value alone where there is no interval."""
    if value is None or lower is None or upper is None:
        return number(value, digits)
    return f"{number(value, digits)} ({number(lower, digits)} to {number(upper, digits)})"


@dataclass(frozen=True)
class PaperTable:
    """A table of texts with its caption; `numeric`: columns flush right; `source`: where its numbers come from."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int]
    source: str

    def __post_init__(self) -> None:
        if not self.rows or any(len(row) != len(self.header) for row in self.rows):
            raise ValueError(f"table {self.name}: no rows, or rows that do not fit the header")


def as_latex(table: PaperTable) -> str:
    """A `table` environment with booktabs rules, to be read in with `\\input`."""
    columns = "".join("r" if place in table.numeric else "l" for place in range(len(table.header)))
    lines = [
        f"% {table.source}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(latex(name) for name in table.header) + r" \\",
        r"\midrule",
        *(" & ".join(latex(text) for text in row) + r" \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_markdown(table: PaperTable) -> str:
    """The same as a markdown table, its caption above and its source below."""

    def row(texts: Sequence[str]) -> str:
        return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"

    rule = "|" + "|".join("---:" if place in table.numeric else "---" for place in range(len(table.header))) + "|"
    body = [row(table.header), rule, *(row(texts) for texts in table.rows)]
    return "\n".join([table.caption, "", *body, "", f"Source: {table.source}"]) + "\n"


@dataclass(frozen=True)
class Macro:
    """One number of a paper: `\\plrBestAuroc` is `text`, and `source` says where it stands in the results."""

    name: str
    text: str
    source: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"plr[A-Z][A-Za-z]*", self.name):
            raise ValueError(f"{self.name!r} is no name of a macro: plr, then letters")


def as_macros(macros: Sequence[Macro], heading: Sequence[str]) -> str:
    """`numbers.tex`. Raises ValueError if a name is there twice."""
    names = [macro.name for macro in macros]
    if len(set(names)) != len(names):
        raise ValueError(f"a macro is defined twice: {sorted({name for name in names if names.count(name) > 1})}")
    lines = [f"% {line}" for line in heading]
    lines += [rf"\newcommand{{\{macro.name}}}{{{latex(macro.text)}}} % {macro.source}" for macro in macros]
    return "\n".join(lines) + "\n"
