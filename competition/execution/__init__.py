"""Where tasks run: on this machine, on its processors and devices."""
