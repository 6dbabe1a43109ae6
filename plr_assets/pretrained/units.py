"""UniTS, a time series model that one set of weights serves for many tasks (Gao et al. 2024, arXiv 2403.00131).

Belongs here: its configuration, and the one task a pupil needs: reconstruction of a window. Does not belong here: its
layers (`units_layers`, `units_heads`), its weights on disk (`units_weights`), training (`pretraining`).

A window is cut into patches, each embedded as a token; prompt tokens learned per data set stand before them. Parameter
names, shapes and the order of operations are those of the official code (mims-harvard/UniTS, commit f8e5dfc), whose
checkpoints load. It differs in one respect, because ours have gaps and its data have none: a validity mask. Mean and
standard deviation are those of the visible samples; other samples enter as 0 after normalisation (the window's mean,
and what the official code pads with); a patch without any visible sample enters as the mask token, by the official
imputation path. So what stands in a gap, in padding or under a mask cannot reach the output.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from plr_assets.errors import ConfigError
from plr_assets.pretrained.units_heads import BASE_TOKENS, CROSS_ATTENTION_HEADS, ClsHead, ForecastHead
from plr_assets.pretrained.units_layers import BasicBlock, DynamicLinear

# The name under which our prompt, mask and class tokens stand beside those of the official data sets.
DATASET = "PLR"
# Patches with a position of their own (official code).
MAX_PATCHES = 5000
# Added to the variance before its root, in squared units of the input (official code).
VARIANCE_FLOOR = 1e-5


@dataclass(frozen=True, kw_only=True)
class UnitsConfig:
    """Size of a UniTS; the defaults are the official `x32` (UniTS_pretrain_x32.sh).

    Official checkpoints have `d_model` 32, 64 or 128 and are otherwise alike. `dropout` is 0.1 in official
    pretraining, 0 in its fine-tuning for anomalies. The last three say how the official pretraining hid patches (a
    share of `min_mask_ratio` to `max_mask_ratio`, with probability `right_prob` the last ones of a window); nothing
    here reads them, they stay with the weights that they made.
    """

    d_model: int = 32
    n_heads: int = 8
    e_layers: int = 3
    patch_len: int = 16
    stride: int = 16
    prompt_num: int = 10
    dropout: float = 0.1
    min_mask_ratio: float = 0.7
    max_mask_ratio: float = 0.8
    right_prob: float = 0.5

    def __post_init__(self) -> None:
        for name in ("d_model", "n_heads", "e_layers", "patch_len", "prompt_num"):
            self._require(name, getattr(self, name) >= 1, "must be at least 1")
        self._require("stride", self.stride == self.patch_len, f"must equal patch_len, {self.patch_len}")
        for heads in (self.n_heads, CROSS_ATTENTION_HEADS):  # of the blocks, of the class head
            self._require("d_model", self.d_model % heads == 0, f"must be a multiple of {heads}, the heads")
        most = min(2 * self.d_model, BASE_TOKENS)  # inputs of the narrowest dynamic layer
        self._require("prompt_num", self.prompt_num < most, f"must be below {most}")
        self._require("dropout", 0 <= self.dropout < 1, "must be in [0, 1)")
        self._require("min_mask_ratio", 0 <= self.min_mask_ratio < 1, "must be in [0, 1)")
        self._require(
            "max_mask_ratio", self.min_mask_ratio <= self.max_mask_ratio < 1, "must be in [min_mask_ratio, 1)"
        )
        self._require("right_prob", 0 <= self.right_prob <= 1, "must be in [0, 1]")

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            found = f"{rule} (found {getattr(self, name)!r})."
            raise ConfigError(f"UniTS: {name}", found, "Mend the method's parameters.")

    def patches(self, samples: int) -> int:
        """Patches of a window of `samples`; the last may be cut short."""
        return -(-samples // self.patch_len)


class PatchEmbedding(nn.Module):
    """The samples of a patch to a token."""

    def __init__(self, dim: int, patch_len: int, dropout: float) -> None:
        super().__init__()
        self.value_embedding = nn.Linear(patch_len, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, patches: Tensor) -> Tensor:
        """(B, N, patch_len) -> (B, N, D)"""
        tokens: Tensor = self.dropout(self.value_embedding(patches))
        return tokens


class PositionEmbedding(nn.Module):
    """A learned position for each patch, which starts as sines and cosines (Vaswani et al. 2017)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        rate = 10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        angle = torch.arange(MAX_PATCHES)[:, None] * rate
        self.pe = nn.Parameter(torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[None, None].float())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pe[:, :, : x.shape[2]]


@dataclass(frozen=True)
class _Window:
    """Windows as the backbone takes them: tokens with positions, prompts; and what undoes the normalisation."""

    tokens: Tensor  # (B, 1, N, D)
    prompts: Tensor  # (B, 1, prompt_num, D)
    mean: Tensor  # (B, 1)
    scale: Tensor  # (B, 1)
    samples: int

    @property
    def patches(self) -> int:
        return self.tokens.shape[2]

    def in_units(self, decoded: Tensor) -> Tensor:
        """(B, 1, patches * patch_len) normalised -> (B, samples) in the units of the input."""
        return decoded[:, 0, : self.samples] * self.scale + self.mean


class UniTS(nn.Module):
    """UniTS for one variable. Weights are drawn from torch's global generator; `new_units` takes a seed.

    Everything runs on the device of the parameters. In training mode dropout draws from torch's global generator.
    Class token, class head and pretraining head serve the official pretraining only: they are held, so that an official
    checkpoint is read whole and in its own order, and never run.
    """

    def __init__(self, config: UnitsConfig) -> None:
        super().__init__()
        self.config = config
        dim, prompts, dropout = config.d_model, config.prompt_num, config.dropout
        # Shapes are (1, variables, tokens, D). Prompts and class token start at N(0, 0.02), the mask token at 0.
        self.prompt_tokens = nn.ParameterDict({DATASET: 0.02 * torch.randn(1, 1, prompts, dim)})
        self.mask_tokens = nn.ParameterDict({DATASET: torch.zeros(1, 1, 1, dim)})
        self.cls_tokens = nn.ParameterDict({DATASET: 0.02 * torch.randn(1, 1, 1, dim)})
        self.patch_embeddings = PatchEmbedding(dim, config.patch_len, dropout)
        self.position_embedding = PositionEmbedding(dim)
        self.prompt2forecat = DynamicLinear(BASE_TOKENS, BASE_TOKENS, fixed_in=prompts)  # the official spelling
        self.blocks = nn.ModuleList(BasicBlock(dim, config.n_heads, dropout, prompts) for _ in range(config.e_layers))
        self.cls_head = ClsHead(dim, dropout)
        self.forecast_head = ForecastHead(dim, config.patch_len, dropout, fixed_in=prompts)
        self.pretrain_head = ForecastHead(dim, config.patch_len, dropout, fixed_in=1)

    def reconstruct(self, x: Tensor, visible: Tensor) -> Tensor:
        """(B, L) float32 in the units of `x`: each window as the model expects it, what is not visible filled.

        `x` (B, L): windows of any length; what stands where `visible` (B, L; bool) is False is never read and may be
        NaN. With all visible this is the official anomaly detection task; a window without a visible sample comes back
        near 0. Raises ValueError on other shapes or types, or on a visible sample that is not finite.
        """
        window = self._tokenise(x, visible)
        tokens = torch.cat([window.prompts, window.tokens], dim=2)
        for block in self.blocks:
            tokens = block(tokens, self.config.prompt_num + window.patches)
        return window.in_units(self.forecast_head(tokens, window.patches))

    def _tokenise(self, x: Tensor, visible: Tensor) -> _Window:
        patch_len = self.config.patch_len
        patches = self.config.patches(x.shape[-1])
        self._check(x, visible, patches)
        padding = (0, patches * patch_len - x.shape[1])  # what fills up the last patch is not visible
        cut = (len(x), patches, patch_len)
        values = nn.functional.pad(x, padding).reshape(cut)
        visible = nn.functional.pad(visible, padding).reshape(cut)
        values = torch.where(visible, values, 0.0)  # not a product: a gap may hold NaN
        if not bool(torch.isfinite(values).all()):
            raise ValueError("a sample is called visible and is not a finite number")
        count = visible.sum(dim=(1, 2), keepdim=True).clamp(min=1)
        mean = values.sum(dim=(1, 2), keepdim=True) / count
        centred = torch.where(visible, values - mean, 0.0)
        scale = (centred.square().sum(dim=(1, 2), keepdim=True) / count + VARIANCE_FLOOR).sqrt()
        tokens = self.patch_embeddings(centred / scale)[:, None]
        prompts = self.prompt_tokens[DATASET].expand(len(x), -1, -1, -1)
        tokens = self.position_embedding(self._fill(tokens, prompts, ~visible.any(dim=2)))
        return _Window(tokens, prompts, mean[:, 0], scale[:, 0], x.shape[1])

    def _fill(self, tokens: Tensor, prompts: Tensor, empty: Tensor) -> Tensor:
        """The tokens of `empty` (B, N) patches: the mask token, then what a dynamic map of all tokens makes of it."""
        unseen = empty[:, None, :, None]
        tokens = torch.where(unseen, self.mask_tokens[DATASET], tokens)
        context = torch.cat([prompts, tokens], dim=2).transpose(-1, -2)
        return torch.where(unseen, self.prompt2forecat(context, tokens.shape[2]).transpose(-1, -2), tokens)

    @staticmethod
    def _check(x: Tensor, visible: Tensor, patches: int) -> None:
        if x.ndim != 2 or not x.is_floating_point() or not 1 <= patches <= MAX_PATCHES:
            raise ValueError(f"x must be floats of shape (B, L) with 1 to {MAX_PATCHES} patches, not {tuple(x.shape)}")
        if visible.dtype != torch.bool or visible.shape != x.shape:
            raise ValueError(
                f"visible must be bool of shape {tuple(x.shape)}, not {visible.dtype} of {tuple(visible.shape)}"
            )


def new_units(config: UnitsConfig, seed: int) -> UniTS:
    """A UniTS with random weights: equal seeds give equal weights. Leaves torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UniTS(config)
