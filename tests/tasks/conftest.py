import pytest


@pytest.fixture(autouse=True)
def _proven_here(proven_here):
    """Every task's exports prove themselves in this process."""
