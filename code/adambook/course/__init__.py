"""Assignments: what a teacher releases, and how a folder of submissions is graded."""
