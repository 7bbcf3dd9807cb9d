"""The use cases' interfaces to the outside, in their terms."""
