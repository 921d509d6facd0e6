"""The local page and its API: the daemon seen through a browser, `curl`, or the command socket."""
