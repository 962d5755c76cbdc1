"""Whether the roles that `storex.yaml` gives to people are roles that the policy knows."""

from __future__ import annotations

from collections.abc import Iterator

from libs.cli.failures import CommandError, ExitStatus
from libs.config import ConfigError, StorexConfig


def check_roles(config: StorexConfig) -> None:
    """Raise ConfigError for every role that no policy file declares; CommandError for a policy that cannot be used."""
    wanted = {role for user in config.users.values() for role in user.roles}
    known = set(_known_roles(config))
    if wanted <= known:
        return
    remedy = f"Write one of: {', '.join(sorted(known))}"
    raise ConfigError(
        [
            user.declared.problem(f"unknown role {role!r}", remedy)
            for user in config.users.values()
            for role in user.roles
            if role not in known and user.declared is not None
        ]
    )


def _known_roles(config: StorexConfig) -> Iterator[str]:
    # The policy comes with Casbin, which most commands have no need to load.
    from libs.policy import PolicyError
    from libs.policy.files import parse_files, read_folder, regions_of
    from libs.policy.vocabulary import storex_vocabulary

    try:
        for region in (None, *regions_of(config.policy)):
            yield from parse_files(read_folder(config.policy, region), storex_vocabulary()).roles
    except PolicyError as error:
        raise CommandError(str(error), "Mend the policy's files.", ExitStatus.CONFIG) from error
