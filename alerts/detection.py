"""Statistics of rare counts: tails, intervals, quantiles, in closed forms and short loops. Pure.

Counts are taken as negative binomial, NB(mean, dispersion) with variance ``mean + dispersion * mean²``; dispersion 0
is Poisson.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log, log10, sqrt

Z95 = 1.959963984540054
"""Two-sided 95 %."""
Z90 = 1.6448536269514722
"""One-sided 5 %."""
_TINY = 1e-17


def nb_log_pmf(k: int, mean: float, dispersion: float) -> float:
    """Natural log of P(Y = k)."""
    if mean <= 0:
        return 0.0 if k == 0 else -inf
    if dispersion <= 0:
        return k * log(mean) - mean - lgamma(k + 1)
    size = 1 / dispersion
    return (
        lgamma(k + size)
        - lgamma(size)
        - lgamma(k + 1)
        + size * log(size / (size + mean))
        + k * log(mean / (size + mean))
    )


def _nb_step(k: int, mean: float, dispersion: float) -> float:
    """P(k + 1) / P(k)."""
    if dispersion <= 0:
        return mean / (k + 1)
    size = 1 / dispersion
    return (k + size) / (k + 1) * mean / (size + mean)


def nb_tail(k: int, mean: float, dispersion: float) -> float:
    """P(Y >= k), from the side that keeps the small value exact."""
    if k <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if k <= mean:
        return max(0.0, 1.0 - sum(exp(nb_log_pmf(j, mean, dispersion)) for j in range(k)))
    total, term, j = 0.0, exp(nb_log_pmf(k, mean, dispersion)), k
    while term > total * _TINY:
        total += term
        term *= _nb_step(j, mean, dispersion)
        j += 1
    return min(1.0, total)


def nb_quantile(share: float, mean: float, dispersion: float) -> int:
    """The smallest k with P(Y <= k) >= share."""
    if mean <= 0:
        return 0
    term = total = exp(nb_log_pmf(0, mean, dispersion))
    k = 0
    while total < share and k < 10_000_000:
        term *= _nb_step(k, mean, dispersion)
        total += term
        k += 1
    return k


def usual_range(mean: float, dispersion: float) -> tuple[int, int]:
    """The central 90 % of what a count with that expectation shows."""
    return nb_quantile(0.05, mean, dispersion), nb_quantile(0.95, mean, dispersion)


def surprise(k: int, mean: float, dispersion: float) -> float:
    """-log10 P(Y >= k); 300 where the tail is too small for a number."""
    tail = nb_tail(k, mean, dispersion)
    return -log10(tail) if tail > 1e-300 else 300.0


def beta_binomial_tail(k: int, n: int, share: float, concentration: float) -> float:
    """P(X >= k) of n opinions that are each negative with a share drawn from Beta(share, concentration)."""
    share = min(max(share, 1e-6), 1 - 1e-6)
    a, b = share * concentration, (1 - share) * concentration

    def beta(x: float, y: float) -> float:
        return lgamma(x) + lgamma(y) - lgamma(x + y)

    def pmf(j: int) -> float:
        return exp(lgamma(n + 1) - lgamma(j + 1) - lgamma(n - j + 1) + beta(j + a, n - j + b) - beta(a, b))

    return min(1.0, sum(pmf(j) for j in range(max(k, 0), n + 1)))


def wilson(k: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of k of n; (0, 1) of nothing."""
    if n == 0:
        return 0.0, 1.0
    p, zz = k / n, z * z
    centre = (p + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * sqrt(p * (1 - p) / n + zz / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def ratio_lower_bound(observed: int, expected: float) -> float:
    """Lower 5 % bound of observed / expected (Gamma posterior of a count, Wilson-Hilferty)."""
    if observed <= 0:
        return 0.0
    cube = max(0.0, 1 - 1 / (9 * observed) - Z90 / (3 * sqrt(observed)))
    return observed * cube**3 / max(expected, 0.1)
