"""Backends: the report that each gives, the engine that each offers, and their discovery."""
