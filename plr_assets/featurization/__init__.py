"""Featurization: from a pupil signal without gaps to a row of named numbers.

Belongs here: featurizers (`base.Featurizer`, one file a kind) and the statistics that features are made of; which
features there are is data (`configs/methods/featurization.yaml`). Does not belong here: labels.
"""
