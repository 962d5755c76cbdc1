"""What the services share. Nothing in here imports a service."""
