"""The machine that a command runs on: devices, precision, memory, interrupts."""
