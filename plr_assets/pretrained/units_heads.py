"""What turns UniTS's tokens into samples.

Belongs here: the heads of UniTS with the official parameter names (see `units_layers`). Does not belong here: undoing
the normalisation (`units`).
"""

from __future__ import annotations

from torch import Tensor, nn

from plr_assets.pretrained.units_layers import DynamicLinear, Gate, Mlp

# Tokens for which the dynamic maps outside the blocks hold weights before stretching (official code).
BASE_TOKENS = 128
CROSS_ATTENTION_HEADS = 8  # the official class head does not follow n_heads


class ForecastHead(nn.Module):
    """Tokens to samples: each patch's token plus a dynamic map of all tokens, through an mlp to `patch_len` samples."""

    def __init__(self, dim: int, patch_len: int, dropout: float, fixed_in: int) -> None:
        super().__init__()
        self.proj_in = nn.Linear(dim, dim)
        self.mlp = Mlp(dim, 4 * dim, dropout)
        self.proj_out = nn.Linear(dim, patch_len)
        self.pos_proj = DynamicLinear(BASE_TOKENS, BASE_TOKENS, fixed_in=fixed_in)

    def forward(self, tokens: Tensor, patches: int) -> Tensor:
        """(B, V, fixed_in + patches, D) -> (B, V, patches * patch_len)"""
        x = self.proj_in(tokens)
        mixed = self.pos_proj(x.transpose(-1, -2), patches).transpose(-1, -2)
        out: Tensor = self.proj_out(self.mlp(mixed + x[:, :, -patches:]))
        return out.flatten(-2)


class ClsHead(nn.Module):
    """The parameters of the official class head, which sums up a window in pretraining. Held, and never run."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.proj_in = nn.Linear(dim, dim)
        self.cross_att = _CrossAttention(dim)
        self.mlp = _MlpBlock(dim, dropout)


class _CrossAttention(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)


class _MlpBlock(nn.Module):
    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, 8 * dim, dropout)
        self.ls2 = Gate(dim)
