"""A small real Django site, a shop, that uses livesignals; ``make run`` starts it."""
