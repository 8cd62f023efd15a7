"""JSON on standard output."""

import pytest

from residua.cli.options import print_json
from residua.errors import RunError


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_told(number: float, capsys: pytest.CaptureFixture[str]):
    """JSON has no word for it, so nothing is printed that no reader could read."""
    with pytest.raises(RunError, match="the result is no JSON"):
        print_json({"nll": number})
    assert "" == capsys.readouterr().out
