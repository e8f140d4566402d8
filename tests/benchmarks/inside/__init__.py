"""What runs in the processes that are measured: the shop with one recorder, or none, in each."""
