"""What follows from what monitoring saw: the verdict, and the actions that it asks for."""
