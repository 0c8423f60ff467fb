"""`make test-fast` leaves out tests that need compiled kernels, and says so."""

from types import SimpleNamespace

import pytest
from numba import njit
from support.without_kernels import WithoutKernels

from neurosim.compiled import cache

SOURCE = """from neurosim.compiled.cached import cfunc

@cfunc("int64(int64)")
def add(x):
    return x + 5
"""


@pytest.fixture
def plugin():
    plugin = WithoutKernels()
    yield plugin
    plugin.pytest_unconfigure()


@pytest.mark.parametrize(
    ("parameters", "fixtures", "marks"),
    [({"backend": "cpu"}, [], []), ({}, ["fast_backend"], []), ({}, [], ["compiled"])],
)
def test_a_test_of_the_compiled_engine_does_not_begin(plugin, parameters, fixtures, marks):
    item = SimpleNamespace(
        callspec=SimpleNamespace(params=parameters),
        fixturenames=fixtures,
        get_closest_marker=lambda name: name if name in marks else None,
    )
    next(plugin.pytest_runtest_protocol(item))
    with pytest.raises(pytest.skip.Exception, match="which make test runs"):
        plugin.pytest_runtest_setup(item)
    item.callspec.params = {"backend": "reference"}
    item.fixturenames = ["backend"]
    item.get_closest_marker = lambda name: None
    plugin.pytest_runtest_setup(item)


@pytest.mark.kernels
def test_a_test_is_skipped_at_its_first_kernel_unless_it_is_marked(plugin):
    unmarked = SimpleNamespace(get_closest_marker=lambda name: None)
    marked = SimpleNamespace(get_closest_marker=lambda name: pytest.mark.kernels)
    next(plugin.pytest_runtest_protocol(unmarked))
    with pytest.raises(pytest.skip.Exception, match="which make test runs"):
        cache.functions("add", SOURCE)
    next(plugin.pytest_runtest_protocol(marked))
    assert cache.functions("add", SOURCE)["add"].call(4) == 9
    plugin.pytest_unconfigure()
    next(plugin.pytest_runtest_protocol(unmarked))
    assert cache.functions("add", SOURCE)["add"].call(4) == 9


@pytest.mark.kernels
def test_a_test_is_skipped_when_numba_first_compiles_unless_it_is_marked(plugin):
    unmarked = SimpleNamespace(get_closest_marker=lambda name: None)
    marked = SimpleNamespace(get_closest_marker=lambda name: pytest.mark.kernels)
    add = njit(lambda x: x + 5)
    next(plugin.pytest_runtest_protocol(unmarked))
    with pytest.raises(pytest.skip.Exception, match="which make test runs"):
        add(4)
    next(plugin.pytest_runtest_protocol(marked))
    assert add(4) == 9
