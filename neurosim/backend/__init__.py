"""Backends: their protocol, the report and the engine that each gives, and their discovery."""
