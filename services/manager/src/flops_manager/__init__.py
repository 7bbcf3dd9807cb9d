"""The FLOps manager: the REST API, the web pages and the lifecycle of projects and mocks."""
