"""The errors a user meets: each says where, what rule was broken, and what to do about it.

Belongs here: the exception types that cross package borders. Does not belong here: printing them (`cli`), or catching
them (each boundary catches what it can name). A bug is not a `PlrError`: it keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class PlrError(Exception):
    """Something the user can mend: `where` (file, row, key), `problem` (the rule), `remedy` (what to do)."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        self.where = where
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{where}: {problem} {remedy}")

    def __reduce__(self) -> tuple[type[PlrError], tuple[str, str, str]]:
        # Exceptions travel back from worker processes by their arguments; these are ours, not Exception's.
        return type(self), (self.where, self.problem, self.remedy)


class ConfigError(PlrError):
    """A configuration file cannot be used. `where` is `file: key`."""


class SelectionError(PlrError):
    """A selection names nothing, or something that is not offered."""


class DataError(PlrError):
    """A data file or table breaks its format. `where` names file and row, or recording."""


class RecordingError(PlrError):
    """One recording cannot be processed. `where` is the recording's (anonymised) id."""


class ContractError(PlrError):
    """A tracked run does not fit the contract. `where` is the run id and artifact."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy for a misspelt word: the closest known one, or all of them."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(names) or 'none'}."
