"""How services speak: the method table, server and channel factories, interceptors in order, errors as statuses."""
