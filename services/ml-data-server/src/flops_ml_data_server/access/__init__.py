"""Callers, the rules of data tags, and the audit log."""
