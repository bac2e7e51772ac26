"""Where order events come from: event-log files, databases, HTTP and the bus, each read as it is."""
