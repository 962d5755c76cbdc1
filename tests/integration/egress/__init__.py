"""What leaves a region, searched byte by byte on the wire."""
