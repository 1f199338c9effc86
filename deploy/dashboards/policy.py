"""The dashboard "Interlude: policy": what do campaigns do, what do they cost, and can their figures be trusted?"""

from typing import Final

from deploy.dashboards.grafana import Dashboard, Panel, Query, Row, Unit
from deploy.dashboards.queries import net_rate, now, rate, share

_ANSWERS: Final = "interlude_decision_answers_total"
_OFFERS: Final = f'{_ANSWERS}{{reason=~"show|explored|holdout"}}'

_ANSWERED: Final = Row(
    "Answers: who is shown the offer, and who is not?",
    (
        Panel(
            "Offers",
            "Per second: show, above the threshold; explored, below it to learn; holdout, withheld to measure the effect. "
            "None of all three: the panel of refusals says which rule stands before them.",
            Unit.PER_SECOND,
            (rate(_OFFERS, by="reason"),),
            stacked=True,
        ),
        Panel(
            "Refusals",
            "Per second, by the first rule that said no; docs/policy.md has them in their order. One that rises after a new "
            "document: ask why for one listener with `interlude explain`. Many unknown_customer: has the enricher read the "
            "topic customers?",
            Unit.PER_SECOND,
            (rate(f'{_ANSWERS}{{reason!~"show|explored|holdout"}}', by="reason"),),
            stacked=True,
        ),
        Panel(
            "Shares among offers",
            "Withheld and explored as shares of all offers. Withheld should be near the campaigns' holdout_share; explored "
            "above show for hours: exploration_rate is high for a model that shows that little.",
            Unit.SHARE,
            (
                share(f'{_ANSWERS}{{reason="holdout"}}', _OFFERS, "withheld"),
                share(f'{_ANSWERS}{{reason="explored"}}', _OFFERS, "explored"),
            ),
        ),
        Panel(
            "Texts suppressed",
            "Requests for a text that ended without one, per second and reason. Mostly frequency_cap or minimum_gap: the "
            "player was there first. budget_spent: the campaign has no discount left, or none yet.",
            Unit.PER_SECOND,
            (rate('interlude_sms_requests_total{status="suppressed"}', by="reason"),),
            stacked=True,
        ),
    ),
)

_BUDGETS: Final = Row(
    "Budgets and documents: what is promised, and by which rules?",
    (
        Panel(
            "Discounts promised",
            "Per second and campaign: taken less given back, in player and SMS. None while a budget is open: see the answers "
            "above. Much faster than the campaign can bear: switch it off (enabled: false) or pace it evenly.",
            Unit.PER_SECOND,
            (
                net_rate(
                    "interlude_decision_budget_units_total",
                    "way",
                    plus="taken",
                    minus="given_back",
                    legend="player {{campaign}}",
                ),
                net_rate(
                    "interlude_sms_budget_units_total",
                    "flow",
                    plus="taken",
                    minus="given_back",
                    legend="sms {{campaign}}",
                ),
            ),
        ),
        Panel(
            "Budget units by way",
            "Per second, by campaign and way. leased and returned without taken: a replica holds units that it does not give, "
            "others may say budget_spent meanwhile. given_back near taken: caps refuse in the ledger what decisions allowed.",
            Unit.PER_SECOND,
            (
                rate(
                    "interlude_decision_budget_units_total", by="campaign, way", legend="player {{campaign}}: {{way}}"
                ),
                rate("interlude_sms_budget_units_total", by="campaign, flow", legend="sms {{campaign}}: {{flow}}"),
            ),
        ),
        Panel(
            "Campaign document",
            "Pods by the version of the document that they serve, and documents refused. Two versions for more than some "
            "minutes, or anything refused: read the log line `campaigns refused`; it names every problem.",
            Unit.COUNT,
            (
                now("interlude_decision_campaigns_info", by="version"),
                Query(
                    "sum(increase(interlude_decision_campaigns_refused_total[$__rate_interval]))", "refused: decision"
                ),
                Query(
                    'sum(increase(interlude_sms_campaign_documents_total{result="refused"}[$__rate_interval]))',
                    "refused: sms",
                ),
            ),
        ),
    ),
)

_TRUST: Final = Row(
    "Experiments and records: can the figures be trusted?",
    (
        Panel(
            "Sample ratio",
            "How far each side of an experiment is from its share, in standard errors, one line a pod. Beyond 4 either way it "
            "is no chance: calls or customers of one side go missing; do not decide by this experiment.",
            Unit.COUNT,
            (now("interlude_decision_sample_ratio_standard_errors", by="campaign, side, instance"),),
            limit=4,
            signed=True,
        ),
        Panel(
            "Records on their way to Kafka",
            "Per second, by topic: spilled to disk, resent from it, dropped for good. Spilled without resent: Kafka is away. "
            "Dropped: training data and replays have a hole from here on.",
            Unit.PER_SECOND,
            (
                rate("interlude_decision_log_spilled_total", by="topic", legend="spilled: {{topic}}"),
                rate("interlude_decision_log_resent_total", by="topic", legend="resent: {{topic}}"),
                rate("interlude_decision_log_dropped_total", by="topic", legend="dropped: {{topic}}"),
            ),
        ),
        Panel(
            "Waiting on disk",
            "What each pod keeps for Kafka. Near DECISION_SPILL_MEGABYTES the oldest records are about to be dropped: mend "
            "Kafka, do not delete pods.",
            Unit.BYTES,
            (now("interlude_decision_spill_bytes", by="instance"),),
        ),
        Panel(
            "Outcomes reported",
            "Per second, by kind, each once. Offers shown and no impressions: a player release lost its reports. No clicks: "
            "see whether the offer can be clicked at all.",
            Unit.PER_SECOND,
            (rate("interlude_decision_outcomes_total", by="kind"),),
        ),
        Panel(
            "Reports refused, repeated, unchecked",
            "Per second. forged: strangers, or replicas with different DECISION_TOKEN_KEY. expired: players report after a "
            "day. repeated: players report twice. unchecked: Redis did not answer; readers drop doubles.",
            Unit.PER_SECOND,
            (
                rate("interlude_decision_refused_tokens_total", by="cause", legend="refused: {{cause}}"),
                rate("interlude_decision_repeated_outcomes_total", by="kind", legend="repeated: {{kind}}"),
                rate("interlude_decision_unchecked_outcomes_total", legend="unchecked"),
            ),
        ),
    ),
)

POLICY: Final = Dashboard(
    uid="interlude-policy",
    title="Interlude: policy",
    description="What campaigns do, what they cost, and whether their figures can be trusted.",
    rows=(_ANSWERED, _BUDGETS, _TRUST),
)
"""The page; `policy.json` is made from it."""
