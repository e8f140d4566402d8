"""Django's own tests of signals cannot tell whether livesignals is there."""

from tests.suites.__main__ import django_suite
from tests.suites.runs import compare


def test_djangos_own_tests_of_signals_pass_with_capture_as_without() -> None:
    """Same tests, same outcomes; ``make matrix`` and ``make django-suite`` compare many more."""
    comparison = compare(django_suite(), ["signals", "dispatch"], timeout=100)
    assert (comparison.differing, comparison.faults) == ([], [])
    assert comparison.plain.failed == set()
