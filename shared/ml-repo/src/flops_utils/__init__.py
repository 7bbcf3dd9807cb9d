"""The package that users' ML repositories import; importing it is cheap and starts nothing."""
