"""A plugin for suites that pytest runs: capture around the tests, and at the end the list of outcomes."""

from collections import defaultdict

import capturing  # type: ignore[import-not-found] # found by PYTHONPATH
import pytest

_outcomes: dict[str, list[str]] = defaultdict(list)

capturing.attach()


def pytest_collection_finish() -> None:
    """The suite's settings are ready."""
    capturing.start()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what did not pass."""
    if not report.passed:
        _outcomes[report.nodeid].append("skipped" if report.skipped else f"failed in {report.when}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell how the run went."""
    capturing.finish(session.testscollected, _outcomes)
