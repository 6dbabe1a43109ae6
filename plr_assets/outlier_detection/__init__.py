"""Outlier detection: which samples of a recording are artefacts.

Belongs here: detectors (`base.Detector`, one file a method), the human mask, the vote, the one scorer of masks. Does
not belong here: replacing samples (`imputation`).
"""
