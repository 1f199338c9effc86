"""What explains Interlude, and the code that writes the parts which the code itself knows best."""
