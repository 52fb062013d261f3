"""How it is served: the server, its log, and settings that are read again on HUP."""
