"""The command line `diaba`, one file a command group."""
