"""The shell of a FLOps process: settings, logging, MQTT, status API, the frame of a one-shot."""
