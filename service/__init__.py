"""Volens: the one place to ask before contacting a person."""
