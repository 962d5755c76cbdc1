"""What a service tells about itself: JSON logs, spans and Prometheus metrics, none of which ever hold a payload."""
