"""The version of FLOps: of every package and image. `make release` is what changes it."""

VERSION = "0.2.0"
