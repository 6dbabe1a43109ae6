"""What turns UniTS's tokens into samples, or one token into a summary of the window.

Belongs here: the two heads of UniTS with the official parameter names (see `units_layers`). Does not belong here:
undoing the normalisation (`units`).
"""

from __future__ import annotations

from torch import Tensor, nn

from plr_assets.pretrained.units_layers import DynamicLinear, Gate, Mlp, attend, split_heads

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


class CrossAttention(nn.Module):
    """One query token attends to all tokens."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, query: Tensor) -> Tensor:
        k, v = (split_heads(part, CROSS_ATTENTION_HEADS) for part in self.kv(x).chunk(2, dim=-1))
        q = split_heads(self.q(query), CROSS_ATTENTION_HEADS)
        out: Tensor = self.proj(attend(q, k, v).transpose(-3, -2).flatten(-2))
        return out


class MlpBlock(nn.Module):
    """x + gate(mlp(norm(x)))"""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, 8 * dim, dropout)
        self.ls2 = Gate(dim)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.ls2(self.mlp(self.norm2(x)))
        return x + change


class ClsHead(nn.Module):
    """The class token, which is the last, after it has attended to all tokens: a summary of the window."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.proj_in = nn.Linear(dim, dim)
        self.cross_att = CrossAttention(dim)
        self.mlp = MlpBlock(dim, dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, V, N, D) -> (B, V, 1, D)"""
        x = self.proj_in(tokens)
        out: Tensor = self.mlp(self.cross_att(x, x[:, :, -1:]))
        return out
