"""The lab: real engines in temporary directories, a workload, and incidents injected into them.

It feeds the demo, the tests and game days. Everything listens on 127.0.0.1 only, runs as the current user without
a service or `/etc/mysql`, and dies with the process that started it.
"""
