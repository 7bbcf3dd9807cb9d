"""The commands: they read arguments, ask the client, and print."""
