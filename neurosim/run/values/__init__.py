"""Values of a run between two steps: assigned, read as text, seen on every edge."""
