"""One small student, trained once, for the tests of what is made from it."""

import pytest

from tests.model_build import tiny_student


@pytest.fixture(scope="session")
def prepared():
    """Two made-up recordings."""
    return [tiny_student.beats("a", 1), tiny_student.beats("b", 2)]


@pytest.fixture(scope="session")
def fitted(prepared, tmp_path_factory):
    """A student trained on them. Not to be altered."""
    pytest.importorskip("keras")
    from model_build.crossval import fit

    path = tmp_path_factory.mktemp("run") / "run.npz"
    return fit(prepared, tiny_student.recipe(), path, tiny_student.quiet)
