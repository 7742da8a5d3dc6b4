"""Values of many variables at once, and numbers of chosen elements."""
