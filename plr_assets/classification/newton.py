"""Newton's method for many logistic regressions at once.

Belongs here: the optimum of B penalised likelihoods over the same rows with different weights. Does not belong here:
scaling, class weights, or what a replicate is. Each replicate's arithmetic is its own: alone or among a thousand it
comes out the same to the last bit, because batched products and factorisations are one LAPACK call a replicate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

# Newton's error squares with each step, so a step of 1e-8 of the coefficients leaves one of about 1e-16.
STEP_TOLERANCE = 1e-8
# Halvings of a step that does not lower the objective: 2^-40 is below what rounding leaves of it.
MOST_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Optima:
    """`coefficients` (B, p), `intercepts` (B,), and which replicates `converged` (B,)."""

    coefficients: Floats
    intercepts: Floats
    converged: NDArray[np.bool_]


def minimise(X: Floats, y: NDArray[np.int64], weights: Floats, C: float, max_iter: int) -> Optima:
    """For each b the minimum of |beta|^2 / 2 + C * sum_i weights[b, i] * log(1 + exp(-s_i (X[b, i] beta + intercept))).

    s_i is +1 for class 1 and -1 for class 0; the intercept is not penalised (scikit-learn's objective).

    X (B, n, p), rows of weight 0 finite; y (n,) 0 or 1; weights (B, n) with both classes above 0; C > 0.
    """
    replicates, rows, _ = X.shape
    design = np.concatenate([X, np.ones((replicates, rows, 1))], axis=2)
    penalty = np.ones(design.shape[2])
    penalty[-1] = 0.0
    weights, sign = C * weights, np.where(y == 1, 1.0, -1.0)
    beta = np.zeros((replicates, design.shape[2]))
    converged = np.zeros(replicates, dtype=bool)
    going = np.arange(replicates)
    eta, value = np.zeros((replicates, rows)), _objective(np.zeros((replicates, rows)), beta, weights, sign, penalty)
    for _ in range(max_iter):
        if going.size == 0:
            break
        A, w = design[going], weights[going]
        p = expit(eta[going])
        gradient = np.matmul((w * (p - y))[:, None], A)[:, 0] + penalty * beta[going]
        hessian = np.matmul(np.swapaxes(A, 1, 2) * (w * p * (1 - p))[:, None], A)
        hessian[:, np.arange(penalty.size), np.arange(penalty.size)] += penalty
        step, solvable = _solve(hessian, -gradient)
        going, A, w, step = going[solvable], A[solvable], w[solvable], step[solvable]
        size = np.ones((going.size, 1))
        along = np.matmul(A, step[..., None])[..., 0]
        # Halve until the objective falls (it is convex: a small enough step always lowers it, down to rounding).
        for _ in range(MOST_HALVINGS):
            new = _objective(eta[going] + size * along, beta[going] + size * step, w, sign, penalty)
            worse = ~(new <= value[going] * (1 + 1e-13))
            if not worse.any():
                break
            size[worse] /= 2
        beta[going] += size * step
        eta[going] += size * along
        value[going] = new
        largest = np.abs(beta[going]).max(axis=1)
        done = (np.abs(step).max(axis=1) <= STEP_TOLERANCE * (1 + largest)) & ~worse
        converged[going[done]] = True
        going = going[~done]
    return Optima(beta[:, :-1], beta[:, -1], converged)


def _objective(eta: Floats, beta: Floats, weights: Floats, sign: Floats, penalty: Floats) -> Floats:
    """(B,)"""
    losses: Floats = (weights * np.logaddexp(0, -sign * eta)).sum(axis=1)
    penalties: Floats = (penalty * beta * beta).sum(axis=1) / 2
    return losses + penalties


def _solve(hessian: Floats, right: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Solutions (B, p), and which are one: a curvature that underflowed leaves none."""
    try:
        step = np.asarray(np.linalg.solve(hessian, right[..., None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        step = np.full(right.shape, np.nan)
        for row in range(len(right)):
            if np.linalg.cond(hessian[row]) < 1 / np.finfo(float).eps:
                step[row] = np.linalg.solve(hessian[row], right[row])
    return step, np.logical_and.reduce(np.isfinite(step), axis=1)
