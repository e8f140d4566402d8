"""What events add up to: pure functions, without a journal or a page."""
