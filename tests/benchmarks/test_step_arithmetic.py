"""The arithmetic of docs/scaling.md: its formulas; the page shows what the script prints."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def arithmetic(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import step_arithmetic

    return step_arithmetic


def test_operations_are_those_tensorflow_counts(arithmetic):
    model = arithmetic.Encoder("tiny", layers=2, width=16, inner=48, heads=2)
    counted, _ = arithmetic.counted(model, rows=3, tokens=7)
    products = [sum(n[i] for kind, n in counted.items() if "MatMul" in kind) for i in range(2)]
    assert products == [3 * model.forward_operations(7), 3 * model.operations(7)]


# As transformers counts them: BertModel with its pooler.
@pytest.mark.parametrize(
    ("place", "parameters"), [(0, 22_713_216), (1, 109_482_240), (2, 335_141_888)]
)
def test_parameters(arithmetic, place, parameters):
    assert arithmetic.MODELS[place].parameters == parameters


@pytest.mark.parametrize("name", ["models_table", "devices_table", "scaling_table"])
def test_page_shows_the_tables(arithmetic, name):
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert getattr(arithmetic, name)() in page
