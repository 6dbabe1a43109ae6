"""What networks that correct straight lines are given of a window, and how their answer is read.

Belongs here: that, as a torch module. Does not belong here: a network. Imports torch: import it where it is used.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Half a second at 30 Hz on either side: a pupil's own movement is slower than 2 Hz, a camera's noise is not.
_SMOOTHING = 31


class LineFeatures(torch.nn.Module):
    """Two features of lines (B, L): their course in the window, and what stands out of it.

    course   lines minus the window's mean, in standard deviations of the cohort.
    detail   lines minus their moving average, in units of `scale`: a hundredth of a light response, and all that says
             whether the ends of a line are noise.

    Means are over visible samples of the window only.
    """

    scale: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    count = 2

    def forward(self, lines: Tensor, visible: Tensor) -> Tensor:
        """(B, L, 2)."""
        mean = (lines * visible).sum(1, keepdim=True) / visible.sum(1, keepdim=True).clamp(min=1)
        half = _SMOOTHING // 2
        wide = functional.pad(lines.unsqueeze(1), (half, half), mode="replicate")
        smooth = functional.avg_pool1d(wide, _SMOOTHING, stride=1).squeeze(1)
        return torch.stack([lines - mean, (lines - smooth) / self.scale], dim=2)

    def corrected(self, lines: Tensor, correction: Tensor) -> Tensor:
        """Lines with a correction (B, L) in units of `scale`."""
        return lines + self.scale * correction
