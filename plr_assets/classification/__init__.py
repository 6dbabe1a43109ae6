"""Classification: from features to the probability of the positive class, fitted and tested out of bag.

Belongs here: classifiers (`base.Classifier`, one file a method) and the bootstrap that judges them. Does not belong
here: metrics beyond the two a bootstrap row carries (`evaluation`).
"""
