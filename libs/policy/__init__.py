"""Policy: who may do what, on which resource, and which classes of data they see in clear.

Policy is Casbin files (`defaults/`, and a folder of your own), loaded into one immutable, versioned snapshot. The
coordinator decides with it and every shard decides again. Casbin is imported here and nowhere else.
"""

from libs.policy.decision import Decision, PolicyEngine, PrincipalLike
from libs.policy.files import PolicyError, Problem
from libs.policy.reload import PolicyState, ReloadingPolicy
from libs.policy.snapshot import PolicySnapshot, load_policy

__all__ = [
    "Decision",
    "PolicyEngine",
    "PolicyError",
    "PolicySnapshot",
    "PolicyState",
    "PrincipalLike",
    "Problem",
    "ReloadingPolicy",
    "load_policy",
]
