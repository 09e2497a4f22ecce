"""Fixtures of a project folder for each test."""

from project_fixtures import finished, project, root  # noqa: F401  # fixtures
