"""The embedded suite: every part of FLOps as a process on this machine, and the demo on it."""
