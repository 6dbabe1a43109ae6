"""Foundation models: architectures, where weights come from, pretraining.

Belongs here: MOMENT and UniTS as networks, and how their weights are had: from a hub, a local folder, or by masked
reconstruction of simulated recordings. Does not belong here: what a model is used for (`outlier_detection`,
`imputation`). Modules import torch where it is used: the code location must not load it.
"""
