"""The plan of a run: operations and addresses, laid out on the host before the time loop runs."""
