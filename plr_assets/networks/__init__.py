"""What the deep methods share: windows, hidden samples, the training loop, seeds, network files.

Belongs here: whatever does not depend on what a network is used for. Does not belong here: detectors, imputers, or
where pretrained weights come from (`pretrained`). Every module imports torch where it is used.
"""
