"""What a question asks for, by its words: no grammar, only words that on-call engineers use, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass

from libs.core.catalogue import CATALOGUE
from services.agent.reasoners.builtin.spelling import corrected
from services.agent.report.draft import Aspect, Topic

_WORDS = {
    Aspect.WHO: r"who(?! owns| own\b| (?:should|do|can) (?:i|we)| is on[- ]?call| is responsible)|"
    r"(?:which|what) (?:client|user|account|host|machine|program|app|application|service|connection|session|thread)",
    Aspect.WHAT: r"(?:which|what) (?:tables?|index|indexes|quer(?:y|ies)|statements?|sql|schema|variable)|"
    r"and (?:the|its) (?:table|index|quer(?:y|ies)|statement|sql|schema)",
    Aspect.WHEN: r"since when|when (?:did|was|has)|how long|what time",
    Aspect.KILL: r"kill|terminate|shoot|end (?:it|that|this|the (?:session|connection))|stop (?:it|that|the session)",
    Aspect.STEPS: r"what (?:should|can|do|must|now)(?: (?:i|we))?|how (?:do|can|should|would) (?:i|we)|next steps?|"
    r"mitigat\w*|remed\w*|fix(?: it| this)?|solve|resolve it|get rid of|workaround|help me",
    Aspect.TREND: r"(?:getting|got|gets|becom\w+|any|going to get) (?:any |much )?(?:worse|better)|worse|"
    r"worsen\w*|improving|improved|trending|escalating|recovering",
    Aspect.SURE: r"(?:how|are you|is that) (?:sure|certain|confident)|how (?:do|can|did) you (?:know|tell)|"
    r"prove\w*|proof|"
    r"evidence|what did you (?:check|read|look at)|show me (?:the |your )?(?:data|numbers|figures)|"
    r"why do you (?:think|say|believe)|what else (?:could|might|can) it be|could it be something else|really",
    Aspect.IMPACT: r"impact|how (?:bad|severe|serious|many)|who(?: is|'s| are) (?:affected|hurt|waiting|blocked)|"
    r"what(?: is|'s) (?:affected|broken|hurt)|blast radius|affected",
    Aspect.RESTART: r"(?:should|can|could|may|shall|safe to|ok to|okay to|want to|better to|would it help to) "
    r"(?:\w+ ){0,3}?(?:restart|reboot|bounce|fail ?over|switch ?over|promote)",
    Aspect.STILL: r"(?:is|are|was) (?:it|this|that|they|things) (?:all )?(?:over|fixed|done|finished|solved|back up)|"
    r"still|yet|any ?more|gone|recovered|over now|resolved\?|better now|"
    r"back to normal",
    Aspect.WELL: r"(?:is|are|was|were)\b.{0,60}\b(?:healthy|ok|okay|fine|alright|all right|good|well|up and running)|"
    r"how (?:is|are|does)\b.{0,40}\b(?:doing|look(?:ing)?|health\w*)|any(?:thing)? (?:wrong|problems?|issues?)",
}
_PATTERNS = {aspect: re.compile(rf"\b(?:{words})(?!\w)", re.IGNORECASE) for aspect, words in _WORDS.items()}
_WHY = re.compile(
    r"\W*(?:(?:but|and|so|ok|okay) )?(?:why|how come|how so|explain|elaborate|what(?:'s| is) the (?:root )?cause|"
    r"how did (?:it|this|that) happen|what caused (?:it|this|that))"
    r"(?: (?:is|was|did|does))?(?: (?:it|that|this))?(?: (?:so|happen\w*))?\W*",
    re.IGNORECASE,
)
_TOPICS = {
    Topic.OWNERS: r"who owns|own(?:s|ed|er|ers)\b|which team|what team|whose (?:database|db|instance|server|service)|"
    r"who (?:do|should|can) (?:i|we)|whom|on[- ]?call|responsible|escalat\w+|contact",
    Topic.CHANGES: r"chang(?:e|es|ed|ing)|different|deploy\w*|releas(?:e|es|ed)|roll(?:ed)? ?out|migrat\w+|"
    r"restart(?:ed|s)?|upgrad\w+|what(?:'s| is) new",
    Topic.METRICS: r"(?:un)?usual|(?:ab)?normal|baseline|anomal\w+|typical|out of the ordinary",
    Topic.STATEMENTS: r"(?:top|slow(?:est)?|expensive|costl\w+|heav\w+|busiest|worst) (?:quer\w+|statement\w*|sql)",
    Topic.VERSIONS: r"versions?\b|which (?:mysql|mariadb)|version spread",
    Topic.AVAILABILITY: r"(?:which|what|any|anything|who)\b.{0,30}\b(?:down|unreachable|offline|not answering)|"
    r"reachable|is (?:it|\S+) (?:up|down)\b",
    Topic.WORST: r"worst (?:health|instance|database|server)s?|sickest|where is it worst|most affected|"
    r"(?:which|how many|any other|other|what other) (?:instance|database|server|service|region)s?|"
    r"anywhere else|elsewhere|(?:across|whole|entire|rest of the) fleet",
    Topic.SESSIONS: r"(?:seen|had|happened?|asked) (?:this |it |that )?(?:before|earlier)|last time|"
    r"(?:previous|earlier|past|old|my) (?:report|investigation|session|incident|finding|question)s?|"
    r"what did (?:you|i|we) find",
}
_TOPIC_PATTERNS = {topic: re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) for topic, words in _TOPICS.items()}
_LOCKS = (
    r"lock\w*|sperr\w*|blockier\w*|gesperrt|bloqu\w+|verrou\w*|"
    r"block\w*|deadlock\w*|wait\w*|stuck|hang\w*|hung|pil\w+ up|queu\w+"
)
_KINDS = (
    (
        r"replica\w*|replicat\w+|replik\w+|lag\w*|slave|standby|(?:falls?|falling|is|are|far|how|seconds) behind|stale",
        ("replication",),
    ),
    (
        r"(?:can'?t|cannot|can not|unable to|won'?t|couldn'?t) (?:\w+ )?(?:write|insert|update|save|commit)|"
        r"read[- ]?only|"
        r"writes? (?:fail\w*|refus\w+|reject\w+|block\w+|stop\w+|are)|refus\w+ (?:all )?writes",
        ("config.read_only", "lock.global_read", "capacity"),
    ),
    (
        r"disk|disque|disco|platte|festplatte|speicherplatz|"
        r"space|full|run(?:ning|s)? out|runs? dry|capacity|auto[- _]?increment\w*|counters?|"
        r"ids? (?:left|exhaust\w*)|"
        r"tablespace|out of range|duplicate (?:key|entry)",
        ("capacity",),
    ),
    (r"log ?ins?|logging in|log in|auth\w*|passwords?|access denied|denied|credentials?", ("access",)),
    (
        r"connection\w*|connect\w*|connexion\w*|conexi\w+|verbindung\w*|pools?|too many|max_connections|sockets?",
        ("connections",),
    ),
    (_LOCKS, ("locks",)),
    (r"metadata|ddl|alter(?:s|ing)?|schema changes?|migrations?", ("lock.metadata", "maintenance.ddl")),
    (r"backups?|dumps?|flush tables", ("lock.global_read", "maintenance.backup")),
    (r"quer(?:y|ies)|statements?|sql|index\w*|scans?|plans?|optimi[sz]er|temp\w*|tmp|sorts?|spill\w*", ("query",)),
    (r"spikes?|traffic|qps|surges?|bursts?|n\+1|retr(?:y|ies)|storm|flood\w*|calls", ("traffic",)),
    (
        r"purge|undo|history list|read view|buffer pool|memory|cache|redo|checkpoint|flush\w*|fsync\w*|commits?",
        ("innodb",),
    ),
    (r"config\w*|variables?|settings?|parameters?", ("config",)),
)
_KIND_PATTERNS = tuple((re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE), kinds) for words, kinds in _KINDS)
_TROUBLE = re.compile(
    r"(?<!\w)(?:why|slow\w*|wrong|problems?|broken|breaks?|brok\w+|fail\w*|errors?|time(?:d|s)? ?outs?|latenc\w*|"
    r"health\w*|happen\w*|caus\w+|issues?|incidents?|alerts?|pag(?:e|ed|ing)|outage|degrad\w+|bad|sick|trouble|"
    r"investigat\w+|diagnos\w+|check|analy[sz]e|look (?:at|into)|going on|what'?s up|status|500s?|503s?|"
    r"unavailable|unresponsive|crash\w*|down|loaded|overload\w*|busy|cpu|load|io|performance|perform\w*|"
    r"help|fire|burn\w*|dead|dying|emergency|urgent|red|p1|sev ?1|lento|lenta|lent|lente|lentes|langsam\w*|"
    r"h\u00e4ng\w*|"
    r"haeng\w*|brennt|kaputt|fehler\w*|warum|wieso|pourquoi|por ?qu[e\u00e9]|panne|ca[i\u00ed]d[ao]|datenbank\w*|"
    r"base de (?:datos|donn[e\u00e9]es)|la base|agotad\w+|fallo|"
    r"can'?t|cannot|doesn'?t|not work\w*|stopped|stalls?|stalled|freez\w+|frozen|crawl\w*|sluggish|"
    r"database|databases|db|mysql|mariadb|server|instance|replica|primary|service|customers?|users|checkout|orders?)(?!\w)",
    re.IGNORECASE,
)
_FLEET = re.compile(
    r"\b(?:fleet|everywhere|anywhere|elsewhere|all (?:the )?(?:instances|databases|regions|servers)|"
    r"(?:any |which |what |how many )?other (?:instances|databases|servers)?|across)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\d:.-])\d{1,9}(?![\d:.-]*\d)", re.ASCII)
_FAMILIES = {"locks": "lock", "connections": "connections"}


@dataclass(frozen=True, slots=True)
class Intent:
    """What a question asks for; all empty for one that is not understood."""

    aspects: tuple[Aspect, ...] = ()
    topics: tuple[Topic, ...] = ()
    kinds: tuple[str, ...] = ()
    """Catalogue ids that it is about."""
    connection: str = ""
    """A connection id that it names."""
    trouble: bool = False
    """Whether it asks about health at all."""
    fleet: bool = False
    """Whether it reaches beyond what was asked about."""

    @property
    def understood(self) -> bool:
        """Whether any of its words says something here."""
        return bool(self.aspects or self.topics or self.kinds or self.trouble)

    @property
    def facts_only(self) -> bool:
        """Whether it is answered without a diagnosis."""
        return bool(self.topics) and not (self.kinds or self.trouble or self.aspects)


def intent_of(question: str) -> Intent:
    """What the words of a question ask for."""
    question = corrected(question)
    aspects = [aspect for aspect, pattern in _PATTERNS.items() if pattern.search(question)]
    if _WHY.fullmatch(question):
        aspects.append(Aspect.WHY)
    topics = tuple(
        topic
        for topic, pattern in _TOPIC_PATTERNS.items()
        if pattern.search(question) and not (topic is Topic.CHANGES and Aspect.RESTART in aspects)
    )
    asked = [kind for pattern, kinds in _KIND_PATTERNS if pattern.search(question) for kind in kinds]
    return Intent(
        aspects=tuple(aspects),
        topics=topics,
        kinds=_expanded(asked),
        connection=connection_asked_about(question),
        trouble=_TROUBLE.search(question) is not None,
        fleet=_FLEET.search(question) is not None,
    )


def _expanded(asked: list[str]) -> tuple[str, ...]:
    """Families as their ids, in the catalogue's order."""
    wanted = {_FAMILIES.get(name, name) for name in asked}
    return tuple(entry.id for entry in CATALOGUE.values() if entry.id in wanted or entry.family in wanted)


def connection_asked_about(question: str) -> str:
    """The connection id that the question names, or empty."""
    match = _NUMBER.search(question)
    return match.group() if match is not None else ""
