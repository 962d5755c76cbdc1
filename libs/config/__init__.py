"""`storex.yaml`: one schema for a laptop and for production, read into frozen values, every problem told with its line.

`load_config` reads the whole file and raises one `ConfigError` that lists all problems, each with file, line and what
to do. Secrets are never part of the values: `InstanceConfig.password()` reads them when a connection is opened, so
that a rotated password needs no restart.
"""

from libs.config.errors import ConfigError, Problem
from libs.config.load import ADMIN, load_config
from libs.config.model import (
    AgentSettings,
    InstanceConfig,
    JudgeConfig,
    LogFiles,
    ModelBudget,
    ModelBudgets,
    ModelEndpoint,
    ModelsConfig,
    Price,
    RegionConfig,
    SnapshotConfig,
    SpecialistSettings,
    StoreDatabase,
    StorexConfig,
    TlsFiles,
    UserConfig,
)

__all__ = [
    "ADMIN",
    "AgentSettings",
    "ConfigError",
    "InstanceConfig",
    "JudgeConfig",
    "LogFiles",
    "ModelBudget",
    "ModelBudgets",
    "ModelEndpoint",
    "ModelsConfig",
    "Price",
    "Problem",
    "RegionConfig",
    "SnapshotConfig",
    "SpecialistSettings",
    "StoreDatabase",
    "StorexConfig",
    "TlsFiles",
    "UserConfig",
    "load_config",
]
