"""The interfaces to the network: Arrow Flight, HTTP, MQTT announcements and metrics."""
