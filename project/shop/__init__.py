"""The shop: what it sells, to whom, and what its signals set off."""
