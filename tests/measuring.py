"""What the coverage sees of a run: the program, as the tests run it.

Its tracer is called for every function whatever, and what pytest does by itself takes three times as long under it.
"""

import gc
import pkgutil
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

import exporter

Wrapped = Generator[None, object, object]
"""A hook around others: what they return, it returns."""


class Measuring:
    """A plugin that lets the tracer, where there is one, see fixtures and tests alone."""

    def __init__(self) -> None:
        self._tracers: tuple[Any, Any] = None, None

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Wrapped:
        """Find the tests unseen, and without looking for garbage; the program's modules are loaded before, seen."""
        if sys.gettrace():
            for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
                import_module(module.name)
        gc.disable()
        try:
            with _tracing(None, None):
                return (yield)
        finally:
            # What is there now stays to the end of the run.
            gc.freeze()
            # The little garbage that tests make afterwards is not worth to be looked for as often as Python does.
            gc.set_threshold(20_000, 20, 20)
            gc.enable()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Wrapped:
        """Leave tests that are marked so, and what is prepared for them first, out of the coverage."""
        tracers = sys.gettrace(), threading.gettrace()
        self._tracers = (None, None) if item.get_closest_marker("unmeasured") else tracers
        with _tracing(None, None):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self) -> Wrapped:
        with _tracing(*self._tracers):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> Wrapped:
        with _tracing(*self._tracers):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Wrapped:
        with _tracing(*self._tracers):
            return (yield)


@contextmanager
def _tracing(tracer: Any, in_threads: Any) -> Iterator[None]:
    """Let a block be seen by these tracers: of this thread, and of those that begin meanwhile."""
    kept = sys.gettrace(), threading.gettrace()
    threading.settrace(in_threads)
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(kept[0])
        threading.settrace(kept[1])
