"""The numbered steps that bring a store's tables up to date; each runs once, and none is ever edited.

A step only adds, so that a shard of the version before can go on with a store that a newer one has opened.
`{options}` stands for what an engine wants behind a table: rows in the order of their primary key.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE instances (instance_id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL) {options}",
        # The metrics of a packed sample in their order.
        "CREATE TABLE layouts (layout_id BIGINT NOT NULL PRIMARY KEY, metrics TEXT NOT NULL) {options}",
        "CREATE TABLE samples (instance_id BIGINT NOT NULL, tier SMALLINT NOT NULL, at BIGINT NOT NULL,"
        " layout_id BIGINT NOT NULL, points MEDIUMBLOB NOT NULL, PRIMARY KEY (instance_id, tier, at)) {options}",
        "CREATE TABLE work (instance_id BIGINT NOT NULL, tier SMALLINT NOT NULL, at BIGINT NOT NULL,"
        " seconds DOUBLE NOT NULL, done MEDIUMBLOB NOT NULL, PRIMARY KEY (instance_id, tier, at)) {options}",
        "CREATE TABLE statements (instance_id BIGINT NOT NULL, statement_id BIGINT NOT NULL,"
        " schema_name VARCHAR(255) NOT NULL, digest VARCHAR(128) NOT NULL, digest_text MEDIUMTEXT NOT NULL,"
        " first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, PRIMARY KEY (instance_id, statement_id)) {options}",
        "CREATE TABLE changes (instance_id BIGINT NOT NULL, at BIGINT NOT NULL, change_id BIGINT NOT NULL,"
        " since BIGINT, kind VARCHAR(64) NOT NULL, content MEDIUMTEXT NOT NULL,"
        " PRIMARY KEY (instance_id, at, change_id)) {options}",
        "CREATE TABLE states (instance_id BIGINT NOT NULL, subject VARCHAR(64) NOT NULL, at BIGINT NOT NULL,"
        " content LONGBLOB NOT NULL, PRIMARY KEY (instance_id, subject)) {options}",
    ),
)

BOOKKEEPING = (
    "CREATE TABLE IF NOT EXISTS storex_migrations"
    " (number INTEGER NOT NULL PRIMARY KEY, steps INTEGER NOT NULL) {options}"
)
"""How far each migration has come: engines that commit after each definition can be stopped in between."""
