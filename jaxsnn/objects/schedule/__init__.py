"""What objects do at chosen times and on events, besides their equations."""
