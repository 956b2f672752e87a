"""An export holds all that a prediction reads, and no more than JSON can say."""

import json

import msgspec
import numba
import pytest

from hotrow.analysis.predict import predict
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.costs import Coefficients
from hotrow.analysis.prediction.export import exported
from hotrow.analysis.prediction.traffic import ReuseCurve, Traffic, traffic_of
from hotrow.models.config import load_preset
from hotrow.models.inputs import uniform_trace
from hotrow.profiling.machine_files import load_machine

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")


@pytest.mark.parametrize("name", ["skylake", "h100"])
def test_a_prediction_can_be_made_from_the_export_alone(name: str) -> None:
    config = load_preset("rm1").scaled(0.001)
    traffic, costs = traffic_of(uniform_trace(config, 64), config, 16), datasheet(load_machine(name))
    read = json.loads(json.dumps(exported(config, traffic, costs), allow_nan=False))
    again = read["traffic"]
    rows, pages = ReuseCurve(**again.pop("rows")), {k: ReuseCurve(**v) for k, v in again.pop("pages").items()}
    same = predict(config, Traffic(**again, rows=rows, pages=pages), msgspec.convert(read["costs"], Coefficients))
    assert same.seconds == pytest.approx(predict(config, traffic, costs).seconds)
    assert len(read["operators"]) == len(same.operators)
