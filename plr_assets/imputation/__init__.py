"""Imputation: what the pupil did at the samples that were masked.

Belongs here: imputers (`base.Imputer`, one file a method), the oracle, the mean of members, the one scorer. Does not
belong here: deciding which samples to mask (`outlier_detection`).
"""
