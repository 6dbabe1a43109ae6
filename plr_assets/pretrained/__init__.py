"""Foundation models: architectures, where weights come from, pretraining.

Belongs here: networks without a package of their own (`units`, built from `units_layers`), reading and writing their
weights (`units_weights`), and what pretraining hides (`masking`). Does not belong here: detectors and imputers, which
use these models, and training loops, which are theirs. The modules import torch, so others import them inside
functions.
"""
