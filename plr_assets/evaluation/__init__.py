"""Evaluation: how good the predictions of a pipeline are, and how sure one can be (STRATOS: Van Calster et al. 2025).

Belongs here: discrimination, overall performance, calibration and clinical utility as pure functions of labels and
probabilities, and the tables of one pipeline made of them (`report`). Does not belong here: fitting classifiers,
drawing figures, or reading and writing tables.

Labels are 0/1 (1 = positive class), probabilities are of the positive class. Several recordings of one subject are one
cluster in every interval. NaN means that a quantity is not defined by the data, never that a computation failed.
"""
