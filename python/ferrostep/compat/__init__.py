"""Other libraries' forms of what is here; each is imported when it is asked for."""
