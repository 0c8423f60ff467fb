"""Values that users give a network: read, checked, drawn, with their signs."""
