"""`make eval`: shows that the gate lets the present agent through and catches worse ones, on worlds of real engines."""
