"""The data plane's wire: names, messages and errors, and the client that everybody uses."""
