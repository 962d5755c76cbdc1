"""What a shard remembers on disk: samples in tiers, the work of statements, and changes.

One interface (`store.HistoryStore`) over portable SQL, with SQLite as the embedded default and MySQL for production;
both pass the same contract suite. A store is blocking and used by one thread at a time: `archive.Archive` is how the
event loop reaches it. A full disk fails what is written and says so, and reading goes on.
"""
