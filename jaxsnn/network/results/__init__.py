"""Where results go besides the monitors: files, and tables of many runs."""
