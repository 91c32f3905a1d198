"""The machine that a command runs on: devices, precision, memory, and all that can fail there."""
