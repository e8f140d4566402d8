"""The figures that the README claims, measured here and now: ``make bench``. Never part of the tests."""
