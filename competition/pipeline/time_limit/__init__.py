"""A run that ends in time: what fits is measured, planned, stored and watched."""
