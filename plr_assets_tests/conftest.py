"""What holds for every test.

Belongs here: settings of the tools. Does not belong here: fixtures of one folder.
"""

from __future__ import annotations

from hypothesis import settings

# A test guards a property, not how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
