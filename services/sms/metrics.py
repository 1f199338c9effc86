"""Every metric of the sms service: what it counts, and what to do when it moves."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class SmsMetrics:
    """The service's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "interlude_sms_requests_total",
            "Requests that ended, by status (sent, failed, suppressed) and reason. "
            "When failed/uncertain rises: the operator's sessions break under way, or the service crashes. "
            "When failed/operator_refused rises: look for its command_status in the log.",
            ["status", "reason"],
            registry=self.registry,
        )
        self.repeated = Counter(
            "interlude_sms_repeated_requests_total",
            "Requests that came again after their end; nothing was sent. Rises after restarts and when an audience is repeated.",
            registry=self.registry,
        )
        self.profiles = Counter(
            "interlude_sms_profiles_total",
            "Profiles and deletions taken from `customers`. When it stands still while the CRM writes: look at the group's lag.",
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "interlude_sms_dead_letters_total",
            "Records that could not be taken, by topic and stage. When it rises: read dlq_error in <topic>.<group>.dlq.",
            ["topic", "stage"],
            registry=self.registry,
        )
        self.dead_letter_limit_reached = Gauge(
            "interlude_sms_dead_letter_limit_reached",
            "1 while too many records of the topic cannot be taken and no texts go out until somebody has looked. When it is 1: "
            "/readyz names the commonest reason; mend the sender or raise SMS_DEAD_LETTER_LIMIT, and restart.",
            ["topic"],
            registry=self.registry,
        )
        self.submit_seconds = Histogram(
            "interlude_sms_submit_seconds",
            "From writing a message to the operator's answer. When it rises: the operator is slow; raise SMS_WINDOW.",
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "interlude_sms_in_flight",
            "Messages that wait for the operator's answer. When it stays at SMS_WINDOW: the window bounds the rate.",
            registry=self.registry,
        )
        self.throttled = Counter(
            "interlude_sms_throttled_total",
            "Submissions answered with throttled or queue full, then tried again. When it rises: lower SMS_MESSAGES_PER_SECOND.",
            registry=self.registry,
        )
        self.bound = Gauge(
            "interlude_sms_bound",
            "1 while a session with the operator is bound. When it is 0 for long: host, port, system id, password, the operator.",
            registry=self.registry,
        )
        self.connects = Counter(
            "interlude_sms_connects_total",
            "Attempts to bind to the operator, by result (bound, failed). When it rises: the session does not hold.",
            ["result"],
            registry=self.registry,
        )
        self.campaign_documents = Counter(
            "interlude_sms_campaign_documents_total",
            "Campaign documents by result: loaded, refused. When refused rises: the one before serves on, and the log names every "
            "problem of the new one.",
            ["result"],
            registry=self.registry,
        )
        self.campaign_file_refused = Gauge(
            "interlude_sms_campaign_file_refused",
            "1 while the campaign document in the file has a mistake and the one before serves on. When it is 1: a service "
            "that starts now does not start; the log names every problem.",
            registry=self.registry,
        )
        self.budget_units = Counter(
            "interlude_sms_budget_units_total",
            "Units of a campaign's budget, by campaign and flow: leased (from Redis), taken (for a message), given_back (nothing "
            "was sent), returned (to Redis). Spent: taken minus given_back. When leased stands still while requests come: the "
            "budget is spent, or paced.",
            ["campaign", "flow"],
            registry=self.registry,
        )
        self.receipts = Counter(
            "interlude_sms_receipts_total",
            "What the operator delivered, by kind: delivered, undeliverable, underway, unknown (no message of ours), "
            "other (not a receipt), dropped (too many waited). When unknown rises: does another program use our system id?",
            ["kind"],
            registry=self.registry,
        )
        self.undelivered = Counter(
            "interlude_sms_undelivered_total",
            "Events and dead letters that Kafka did not take; they are tried again. When it rises: look at Kafka.",
            ["topic"],
            registry=self.registry,
        )
