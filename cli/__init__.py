"""`interlude`: what a person asks of campaigns and of the running services, on a command line."""
