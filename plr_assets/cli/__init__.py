"""The `plr` command.

Belongs here: arguments, words and colours of the terminal. Does not belong here: any decision: commands call
`platform`.
"""

from plr_assets.cli.app import main

__all__ = ["main"]
