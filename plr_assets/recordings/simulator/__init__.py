"""The simulator: a cohort of recordings in the device's own format, with the ground truth that real cohorts lack.

Belongs here: device timing, pupil physiology, artefacts, and the files of a synthetic study. Does not belong here:
reading any of it back; simulated files go through the same import as real ones.
"""
