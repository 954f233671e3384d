"""Where tasks run: the processes, devices and threads of this machine."""
