"""The dashboard "Interlude: latency": is the answer quick, is it a real one, and does it know what just happened?"""

from typing import Final

from deploy.dashboards.grafana import Dashboard, Panel, Query, Row, Unit
from deploy.dashboards.queries import balance, mean, now, quantile, quantiles, rate, share

_ANSWERS: Final = "interlude_decision_answers_total"
_EVENTS: Final = "interlude_enricher_events_total"

_DECISION: Final = Row(
    "Decision: is the answer quick, and is it a real one?",
    (
        Panel(
            "Answer time",
            "From the request being read to its answer being written, Decide only; the red line is the promise for p99. "
            "Above it: are calls in progress at the worker threads? Then add replicas. If not, Redis is slow or the node is busy.",
            Unit.SECONDS,
            quantiles("interlude_decision_seconds", 0.5, 0.99, 0.999, matchers='method="Decide"'),
            limit=0.005,
            logarithmic=True,
        ),
        Panel(
            "Answers by reason",
            "Why answers are what they are, per second. No show at all: is there a champion, is the campaign enabled? "
            "Many unknown_customer: has the enricher read the topic customers?",
            Unit.PER_SECOND,
            (rate(_ANSWERS, by="reason"),),
            stacked=True,
        ),
        Panel(
            "Answers by rung",
            "How much of the machinery the answers could use. no_features: look at Redis. no_model: promote one. "
            "no_time: callers give too short a deadline, or calls queue. no_reservation: Redis does not take writes.",
            Unit.PER_SECOND,
            (rate(_ANSWERS, by="rung"),),
            stacked=True,
        ),
        Panel(
            "Degraded share",
            "Answers that were made with less than everything, those by a campaign's prior left out: they are meant. Above the "
            "line listeners get no offer for our own fault: the panel of rungs says what is missing.",
            Unit.SHARE,
            (share(f'{_ANSWERS}{{rung!~"full|prior"}}', _ANSWERS, "degraded"),),
            limit=0.01,
        ),
        Panel(
            "Calls in progress",
            "Calls being answered now, one line a pod. Near DECISION_CONCURRENT_CALLS: calls queue; add replicas.",
            Unit.COUNT,
            (now("interlude_decision_calls_in_progress", by="instance"),),
        ),
        Panel(
            "Calls turned away or too late",
            "Per second. refused in_flight or queue: more calls than the pods can answer; add replicas. expired, late: callers' "
            "deadlines are too short for what is going on. cancelled alone: callers hedge or give up. message: a broken caller.",
            Unit.PER_SECOND,
            (
                rate("interlude_decision_front_refused_total", by="cause", legend="refused: {{cause}}"),
                rate('interlude_decision_front_ended_total{end!="answered"}', by="end"),
            ),
        ),
        Panel(
            "Refused and failed calls",
            "Refused: the caller's fault, by field; ask the player team which release began it. "
            "Internal: ours; find the error id in the log.",
            Unit.PER_SECOND,
            (
                rate("interlude_decision_refused_requests_total", by="method, field", legend="{{method}}: {{field}}"),
                rate("interlude_decision_internal_errors_total", by="method", legend="{{method}}: internal error"),
            ),
        ),
        Panel(
            "Model version",
            "Pods by the version that they serve, and models refused. Two versions for more than a few seconds, or anything "
            "refused: read the pods' logs for the check that failed; the trainer's `rollback` goes back to the version before.",
            Unit.COUNT,
            (
                now("interlude_decision_model_info", by="version"),
                Query(
                    "sum by (check) (increase(interlude_decision_models_refused_total[$__rate_interval]))",
                    "refused: {{check}}",
                ),
            ),
        ),
        Panel(
            "Model on trial",
            "Share of listeners that another model than the champion decides for, by its stage: a canary, or the champion before "
            "as control. And versions that were taken back: when that rises, follow the runbook ModelTakenBack.",
            Unit.COUNT,
            (
                Query("max by (stage, version) (interlude_decision_candidate_share)", "{{stage}} {{version}}"),
                Query("max(interlude_decision_models_barred)", "taken back"),
            ),
        ),
        Panel(
            "Feature age",
            "Age of the newest listen that an answer knew of. A listener who comes back after a week is old by right; when p50 "
            "rises for all, the enricher is behind.",
            Unit.SECONDS,
            quantiles("interlude_decision_feature_age_seconds", 0.5, 0.99),
            logarithmic=True,
        ),
        Panel(
            "Outcomes, and records lost",
            "What players report back, per second; and records that Kafka did not take. None reported while offers are "
            "shown: a player release lost them. Records lost: look at Kafka; answers go on, training data is gone.",
            Unit.PER_SECOND,
            (
                rate("interlude_decision_outcomes_total", by="kind"),
                rate("interlude_decision_log_dropped_total", by="topic", legend="lost: {{topic}}"),
                rate("interlude_decision_corrupt_features_total", legend="corrupt features"),
            ),
        ),
    ),
)

_ENRICHER: Final = Row(
    "Enricher: do features know what just happened?",
    (
        Panel(
            "Freshness",
            "From a record's timestamp in Kafka to its features being readable in Redis; the red line is the promise for p99. "
            "Above it: does the batch size stand at its limit? Then the enricher is behind: add one while there are partitions.",
            Unit.SECONDS,
            quantiles("interlude_enricher_freshness_seconds", 0.5, 0.99),
            limit=0.05,
            logarithmic=True,
        ),
        Panel(
            "Events by outcome",
            "Events per second. Many duplicates: a replay, or an enricher that started again. None applied while players play: "
            "look at the pods and at the group's lag.",
            Unit.PER_SECOND,
            (
                rate(_EVENTS, by="outcome"),
                rate("interlude_enricher_interests_total", legend="interests found"),
            ),
            stacked=True,
        ),
        Panel(
            "Step time, p99",
            "One batch in each step. read or write: look at Redis. publish: look at Kafka. fold: a listener with very many events.",
            Unit.SECONDS,
            (quantile("interlude_enricher_step_seconds", 0.99, by="step"),),
            logarithmic=True,
        ),
        Panel(
            "Batch size",
            "Records handled at once. Small is idle and quick; at ENRICHER_BATCH_RECORDS the enricher is catching up.",
            Unit.COUNT,
            (
                mean("interlude_enricher_batch_records", "mean"),
                quantile("interlude_enricher_batch_records", 0.99, legend="p99"),
            ),
        ),
        Panel(
            "Events unaccounted",
            "Received, less those of all outcomes, less those in flight, by pod and partition: 0, always. Anything else: an event "
            "was lost or counted twice within the enricher; follow the runbook EventsUnaccounted.",
            Unit.COUNT,
            (balance("interlude_enricher_received_total", _EVENTS, "interlude_enricher_in_flight_events"),),
            signed=True,
        ),
        Panel(
            "Age of the newest event",
            "Since the newest event that was applied came into Kafka, the oldest and the freshest partition of listens. All old "
            "while players play: nothing arrives, or nothing is applied. One old: its enricher is stuck, or its listeners sleep.",
            Unit.SECONDS,
            (
                Query('max(interlude_enricher_newest_applied_age_seconds{topic="listens"})', "oldest partition"),
                Query('min(interlude_enricher_newest_applied_age_seconds{topic="listens"})', "freshest partition"),
            ),
            logarithmic=True,
        ),
        Panel(
            "Received and in flight",
            "Records taken from Kafka, per second, and those in hand by pod. In flight that does not move while nothing is "
            "received: the pod waits; its /readyz says for what.",
            Unit.COUNT,
            (
                rate("interlude_enricher_received_total", by="topic", legend="received: {{topic}}"),
                now("interlude_enricher_in_flight_events", by="instance", legend="in flight: {{instance}}"),
            ),
        ),
        Panel(
            "Dead letters",
            "Records put aside, per second. Any: read the dlq_error header in <topic>.enricher.dlq, mend the sender, replay. "
            "Limit reached (1): too many, and the service waits for somebody to look; /readyz says why.",
            Unit.PER_SECOND,
            (
                rate(f'{_EVENTS}{{outcome="dead_lettered"}}', by="topic"),
                now("interlude_enricher_dead_letter_limit_reached", by="topic", legend="limit reached: {{topic}}"),
                now("interlude_sms_dead_letter_limit_reached", by="topic", legend="sms, limit reached: {{topic}}"),
            ),
        ),
        Panel(
            "Conflicts and records not taken",
            "Conflicts outside rebalances: two enrichers with different group ids on one Redis. Not taken: look at Kafka; the "
            "batch is repeated until it is.",
            Unit.PER_SECOND,
            (
                rate("interlude_enricher_conflicts_total", legend="conflicts"),
                rate("interlude_enricher_undelivered_total", by="topic", legend="not taken: {{topic}}"),
            ),
        ),
    ),
)

_SMS: Final = Row(
    "SMS: do messages go out, and arrive?",
    (
        Panel(
            "Submit time",
            "From writing a message to the operator's answer. When it rises the operator is slow: raise SMS_WINDOW, or call them.",
            Unit.SECONDS,
            quantiles("interlude_sms_submit_seconds", 0.5, 0.99),
            logarithmic=True,
        ),
        Panel(
            "Sent, failed, suppressed",
            "Requests that ended, per second. failed: the operator refuses or its answer never came; the log has its status.",
            Unit.PER_SECOND,
            (rate("interlude_sms_requests_total", by="status"),),
            stacked=True,
        ),
        Panel(
            "Why not sent",
            "Requests that ended without a message, by reason. Mostly no_consent or level is as it should be; mostly "
            "unknown_customer: profiles were not read; many already_sent: an audience was asked for twice.",
            Unit.PER_SECOND,
            (rate('interlude_sms_requests_total{status!="sent"}', by="reason"),),
            stacked=True,
        ),
        Panel(
            "Delivered",
            "What the operator reports back, per second. Sent without delivered for minutes: receipts do not come; call the "
            "operator. unknown: another program uses our system id.",
            Unit.PER_SECOND,
            (rate("interlude_sms_receipts_total", by="kind"),),
        ),
        Panel(
            "Session with the operator",
            "Bound sessions and messages that wait for an answer. 0 bound: check host, port, system id and password.",
            Unit.COUNT,
            (
                now("interlude_sms_bound", by="instance", legend="bound: {{instance}}"),
                now("interlude_sms_in_flight", by="instance", legend="in flight: {{instance}}"),
            ),
        ),
        Panel(
            "Throttled, put aside, not taken",
            "Throttled: lower SMS_MESSAGES_PER_SECOND to what the contract allows. Dead letters: read dlq_error. "
            "Not taken: look at Kafka.",
            Unit.PER_SECOND,
            (
                rate("interlude_sms_throttled_total", legend="throttled"),
                rate("interlude_sms_dead_letters_total", by="topic", legend="dead letter: {{topic}}"),
                rate("interlude_sms_undelivered_total", by="topic", legend="not taken: {{topic}}"),
            ),
        ),
    ),
)

LATENCY: Final = Dashboard(
    uid="interlude-latency",
    title="Interlude: latency",
    description="From a listen to the answer before the next track. Each panel's description says what to do when it moves.",
    rows=(_DECISION, _ENRICHER, _SMS),
)
"""The page; `latency.json` is made from it."""
