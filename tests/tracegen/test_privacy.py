"""Noise, ledger and composition, against OpenDP's own accounting."""

import math

import numpy as np
import opendp.prelude as dp
import pytest

from hotrow import HotrowError
from hotrow.tracegen.privacy import Ledger, PrivacyBudget, build, deviation, epsilon_of, noise_scale, rho_of


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epsilon": 0.0}, "epsilon 0.0"),
        ({"epsilon": -1.0}, "above 0"),
        ({"epsilon": math.inf}, "finite"),
        ({"unit": "row"}, "access, sample, user"),
        ({"delta": 1.0}, "below 1"),
        ({"mechanism": "gaussian"}, "needs a delta"),
        ({"delta": 1e-6}, "laplace mechanism, which needs none"),
        ({"samples_per_user": 0}, "at least 1"),
        ({"lookups_per_sample": 0}, "at least 1"),
    ],
)
def test_a_bad_budget_is_refused_by_name(values: dict, message: str) -> None:
    with pytest.raises(HotrowError, match=message):
        PrivacyBudget(**values)


def test_a_ledger_agrees_with_opendps_composition() -> None:
    dp.enable_features("contrib")
    for mechanism, sensitivities in (("laplace", ((3, 5, 0.5), (2, 2, 0.3))), ("gaussian", ((3, 5, 0.5), (2, 2, 0.3)))):
        ledger = Ledger(mechanism, 0.8)
        unit_measurements = []
        for k, (l1, l2_squared, cost) in enumerate(sensitivities):
            ledger.noisy(np.arange(4), cost, l1, l2_squared, "t", f"s{k}")
            # the same statistic scaled to unit sensitivity, so that one composition can hold both
            reach = l1 if mechanism == "laplace" else math.sqrt(l2_squared)
            unit_measurements.append(build(mechanism, noise_scale(mechanism, cost, l1, l2_squared) / reach))
        composed = dp.c.make_composition(unit_measurements)
        assert ledger.spent() == pytest.approx(composed.map(1), rel=1e-6)
        assert ledger.spent() <= 0.8


def test_a_ledger_refuses_a_second_release_and_overspending() -> None:
    ledger = Ledger("laplace", 1.0)
    ledger.noisy(np.zeros(3, np.int64), 0.6, 1, 1, "t", "reuse")
    with pytest.raises(HotrowError, match="twice"):
        ledger.noisy(np.zeros(3, np.int64), 0.1, 1, 1, "t", "reuse")
    with pytest.raises(HotrowError, match="more than the budget"):
        ledger.noisy(np.zeros(3, np.int64), 0.5, 1, 1, "t", "ages")


def test_rho_is_the_largest_that_keeps_epsilon() -> None:
    rho = rho_of(1.0, 1e-6)
    assert epsilon_of(rho, 1e-6) <= 1.0 < epsilon_of(rho * 1.001, 1e-6)


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_noise_has_the_deviation_that_is_stated(mechanism: str) -> None:
    ledger = Ledger(mechanism, 10.0)
    noise = ledger.noisy(np.zeros(20_000, np.int64), 0.5, 3, 5, "t", "s")
    stated = deviation(mechanism, ledger.charges[0].scale)
    assert np.std(noise) == pytest.approx(stated, rel=0.06)
    assert abs(noise.mean()) < 5 * stated / math.sqrt(20_000)
    assert deviation(mechanism, 0.0) == 0.0
