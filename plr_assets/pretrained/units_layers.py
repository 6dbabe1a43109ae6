"""The parts UniTS is built of (Gao et al. 2024, arXiv 2403.00131), on tokens of shape (B, V, N, D).

Belongs here: layers whose parameter names and shapes are those of the official code (mims-harvard/UniTS, commit
f8e5dfc, models/UniTS.py), so that its checkpoints fit. Does not belong here: windows, masks, prompts (`units`). B is
windows, V variables (1 for a pupil), N tokens, D the model's width. The official code keeps two linear layers it never
calls (`proj` of both attention blocks); they are kept here for the names alone.

Interpolation and attention are written as matrix products, where the official code calls torch's bilinear resize and
fused attention: neither promises a deterministic backward pass on a GPU, and equal seeds shall give equal bytes there
too. (The convolution has a deterministic algorithm there, which the training loop must ask for.)
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@lru_cache(maxsize=256)
def _resize_weights(size: int, target: int) -> NDArray[np.float64]:
    """(target, size): linear interpolation from `size` points to `target`, cell centres aligned, ends held."""
    place = np.clip((np.arange(target) + 0.5) * size / target - 0.5, 0, size - 1)
    left = np.floor(place).astype(int)
    right = np.minimum(left + 1, size - 1)
    weights = np.zeros((target, size))
    np.add.at(weights, (np.arange(target), left), 1 - (place - left))
    np.add.at(weights, (np.arange(target), right), place - left)
    return weights


def resized(matrix: Tensor, rows: int, columns: int) -> Tensor:
    """`matrix` interpolated bilinearly to (rows, columns); itself where it has that shape."""
    if matrix.shape[0] != rows:
        matrix = torch.from_numpy(_resize_weights(matrix.shape[0], rows)).to(matrix) @ matrix
    if matrix.shape[1] != columns:
        matrix = matrix @ torch.from_numpy(_resize_weights(matrix.shape[1], columns)).to(matrix).T
    return matrix


class DynamicLinear(nn.Module):
    """A linear map along the tokens whose weights are stretched to any number of them.

    The first `fixed_in` inputs (the prompts) have columns of their own, which are never stretched along the input.
    """

    def __init__(self, in_features: int, out_features: int, fixed_in: int) -> None:
        super().__init__()
        self.fixed_in = fixed_in
        self.weights = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features))
        bound = in_features**-0.5  # torch's own start for a linear layer, which the official code repeats
        nn.init.uniform_(self.weights, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor, out_features: int) -> Tensor:
        """(..., N) -> (..., out_features)"""
        fixed = resized(self.weights[:, : self.fixed_in], out_features, self.fixed_in)
        stretched = resized(self.weights[:, self.fixed_in :], out_features, x.shape[-1] - self.fixed_in)
        bias = resized(self.bias[None], 1, out_features)[0]
        return nn.functional.linear(x, torch.cat([fixed, stretched], dim=1), bias)


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(..., N, D) -> (..., n_heads, N, D / n_heads)"""
    return x.reshape(*x.shape[:-1], n_heads, -1).transpose(-3, -2)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot-product attention over the last but one axis."""
    weights = torch.softmax(q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5, dim=-1)
    return weights @ v


class SeqAttention(nn.Module):
    """Self-attention over the tokens of each variable."""

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (split_heads(part, self.n_heads) for part in self.qkv(x).chunk(3, dim=-1))
        joined: Tensor = attend(q, k, v).transpose(-3, -2).flatten(-2)
        out: Tensor = self.proj_drop(self.proj(joined))
        return out


class VarAttention(nn.Module):
    """Self-attention over variables, one weight for all tokens: queries and keys are averaged over the tokens.

    With a single variable its weight is 1, so the layer is a linear map of each token (and q and k learn nothing).
    """

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k = (split_heads(part.mean(dim=2), self.n_heads) for part in (q, k))  # (B, heads, V, D / heads)
        by_head = v.reshape(*v.shape[:-1], self.n_heads, -1).permute(0, 3, 1, 2, 4)  # (B, heads, V, N, D / heads)
        mixed = attend(q, k, by_head.flatten(-2)).reshape(by_head.shape)
        out: Tensor = self.proj_drop(self.proj(mixed.permute(0, 2, 3, 1, 4).flatten(-2)))
        return out


class Gate(nn.Module):
    """Each token times a share in (0, 1) computed from it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.gate(x)) * x


class SeqAttBlock(nn.Module):
    """x + gate(attention over tokens(norm(x)))"""

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn_seq = SeqAttention(dim, n_heads, dropout)
        self.ls1 = Gate(dim)
        self.proj = nn.Linear(dim, dim)  # never called, as in the official code

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.ls1(self.attn_seq(self.norm1(x)))
        return x + change


class VarAttBlock(nn.Module):
    """x + gate(attention over variables(norm(x)))"""

    def __init__(self, dim: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn_var = VarAttention(dim, n_heads, dropout)
        self.ls1 = Gate(dim)
        self.proj = nn.Linear(dim, dim)  # never called, as in the official code

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.ls1(self.attn_var(self.norm1(x)))
        return x + change


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.drop(nn.functional.gelu(self.fc1(x)))
        out: Tensor = self.drop(self.fc2(inner))
        return out


class DynamicLinearMlp(nn.Module):
    """A convolution over neighbouring tokens, a dynamic linear map of half its channels, and a linear layer.

    The dynamic maps see prompts and patches; tokens after them (the class token) pass by.
    """

    def __init__(self, dim: int, hidden: int, dropout: float, prompt_num: int) -> None:
        super().__init__()
        self.prompt_num = prompt_num
        self.fc1 = nn.Conv1d(dim, hidden, kernel_size=3, padding=1)
        self.seq_fc = DynamicLinear(hidden // 4, hidden // 4, fixed_in=prompt_num)
        self.prompt_fc = DynamicLinear(hidden // 4, prompt_num, fixed_in=prompt_num)
        self.fc2 = nn.Linear(hidden, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, mapped: int) -> Tensor:
        """(B, V, N, D) -> (B, V, N, D); the first `mapped` tokens are prompts and patches."""
        channels = self.fc1(x.flatten(0, 1).transpose(1, 2))  # (B V, hidden, N)
        first, second = channels.chunk(2, dim=1)
        tokens, after = first[..., :mapped], first[..., mapped:]
        prompts = self.prompt_fc(tokens, self.prompt_num)
        patches = self.seq_fc(tokens, mapped - self.prompt_num)
        channels = torch.cat([torch.cat([prompts, patches, after], dim=-1), second], dim=1)
        inner = self.drop(nn.functional.gelu(channels)).transpose(1, 2)
        out: Tensor = self.drop(self.fc2(inner).reshape(x.shape))
        return out


class DynamicMlpBlock(nn.Module):
    """x + gate(dynamic mlp(norm(x)))"""

    def __init__(self, dim: int, dropout: float, prompt_num: int) -> None:
        super().__init__()
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = DynamicLinearMlp(dim, 8 * dim, dropout, prompt_num)
        self.ls2 = Gate(dim)

    def forward(self, x: Tensor, mapped: int) -> Tensor:
        change: Tensor = self.ls2(self.mlp(self.norm2(x), mapped))
        return x + change


class BasicBlock(nn.Module):
    """One layer of the backbone: tokens, variables, then the dynamic mlp."""

    def __init__(self, dim: int, n_heads: int, dropout: float, prompt_num: int) -> None:
        super().__init__()
        self.seq_att_block = SeqAttBlock(dim, n_heads, dropout)
        self.var_att_block = VarAttBlock(dim, n_heads, dropout)
        self.dynamic_mlp = DynamicMlpBlock(dim, dropout, prompt_num)

    def forward(self, x: Tensor, mapped: int) -> Tensor:
        out: Tensor = self.dynamic_mlp(self.var_att_block(self.seq_att_block(x)), mapped)
        return out
