"""Closed forms against brute force."""

from __future__ import annotations

from math import comb, exp, lgamma

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.detection import (
    beta_binomial_tail,
    nb_log_pmf,
    nb_quantile,
    nb_tail,
    ratio_lower_bound,
    surprise,
    usual_range,
    wilson,
)

MEANS = st.floats(0.05, 60)
SPREADS = st.sampled_from([0.0, 0.05, 0.25, 1.0])


@given(k=st.integers(0, 120), mean=MEANS, spread=SPREADS)
def test_tail_equals_the_sum_of_everything_above(k: int, mean: float, spread: float) -> None:
    brute = sum(exp(nb_log_pmf(j, mean, spread)) for j in range(k, 3000))
    assert nb_tail(k, mean, spread) == pytest.approx(min(1, brute), rel=1e-6, abs=1e-12)


def test_poisson_is_the_limit_and_a_known_value() -> None:
    assert nb_tail(3, 1.0, 0.0) == pytest.approx(1 - exp(-1) * 2.5)
    assert nb_tail(10, 2.0, 1e-7) == pytest.approx(nb_tail(10, 2.0, 0.0), rel=1e-3)
    assert nb_tail(0, 0.0, 0.25) == 1 and nb_tail(1, 0.0, 0.25) == 0


def test_simulated_tail() -> None:
    draw = np.random.default_rng(1)
    counts = draw.poisson(draw.gamma(4, 5 / 4, 400_000))
    assert nb_tail(12, 5.0, 0.25) == pytest.approx(float((counts >= 12).mean()), rel=0.03)


@given(mean=MEANS, spread=SPREADS, share=st.floats(0.01, 0.99))
def test_quantile_is_the_first_that_reaches_the_share(mean: float, spread: float, share: float) -> None:
    k = nb_quantile(share, mean, spread)
    below = [exp(nb_log_pmf(j, mean, spread)) for j in range(k + 1)]
    assert sum(below) >= share - 1e-9
    assert k == 0 or sum(below[:-1]) < share + 1e-9


def test_usual_range_holds_nine_of_ten() -> None:
    low, high = usual_range(6.1, 0.25)
    assert (low, high) == (1, 13)


@given(n=st.integers(0, 60), k=st.integers(0, 60))
def test_beta_binomial_with_great_weight_is_binomial(n: int, k: int) -> None:
    brute = sum(comb(n, j) * 0.3**j * 0.7 ** (n - j) for j in range(k, n + 1))
    assert beta_binomial_tail(k, n, 0.3, 1e7) == pytest.approx(brute, rel=1e-3, abs=1e-9)


def test_beta_binomial_is_wider() -> None:
    assert beta_binomial_tail(20, 30, 0.3, 20) > beta_binomial_tail(20, 30, 0.3, 1e6)


def test_wilson_known_values() -> None:
    low, high = wilson(45, 63)
    assert (round(low, 3), round(high, 3)) == (0.593, 0.811)
    assert wilson(0, 0) == (0, 1)
    assert wilson(10, 10)[1] == pytest.approx(1)


def test_surprise_of_the_impossible_is_finite() -> None:
    assert surprise(5000, 0.1, 0.0) == 300
    assert surprise(0, 3.0, 0.2) == 0


@pytest.mark.parametrize("observed", [3, 5, 30, 200])
def test_ratio_bound_has_a_tail_of_five_percent(observed: int) -> None:
    """At the bound, so many or more come with a chance of 5 %."""
    bound = ratio_lower_bound(observed, 1.0)
    tail = 1 - sum(exp(j * np.log(bound) - bound - lgamma(j + 1)) for j in range(observed))
    assert tail == pytest.approx(0.05, abs=0.004)
    assert ratio_lower_bound(0, 1.0) == 0
