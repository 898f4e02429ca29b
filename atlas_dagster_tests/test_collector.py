"""The garbage collector is paused for a block, and as it was afterwards."""

from __future__ import annotations

import gc

import pytest

from atlas_dagster.collector import collector_paused


def fail() -> None:
    assert not gc.isenabled()
    raise ValueError("inside")


@pytest.mark.parametrize("was_enabled", [True, False])
def test_it_is_as_it_was_after_the_block_even_where_that_fails(was_enabled: bool) -> None:
    (gc.enable if was_enabled else gc.disable)()
    try:
        with pytest.raises(ValueError, match="inside"), collector_paused():
            fail()
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable()
