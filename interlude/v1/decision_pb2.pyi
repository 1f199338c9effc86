from interlude.v1 import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_SWITCHED_OFF: _ClassVar[Reason]
    REASON_UNKNOWN_CUSTOMER: _ClassVar[Reason]
    REASON_INACTIVE: _ClassVar[Reason]
    REASON_LEVEL: _ClassVar[Reason]
    REASON_NO_CONSENT: _ClassVar[Reason]
    REASON_COOL_DOWN: _ClassVar[Reason]
    REASON_FREQUENCY_CAP: _ClassVar[Reason]
    REASON_MINIMUM_GAP: _ClassVar[Reason]
    REASON_CAMPAIGN_ENDED: _ClassVar[Reason]
    REASON_BUDGET_SPENT: _ClassVar[Reason]
    REASON_PACED: _ClassVar[Reason]
    REASON_LOW_SCORE: _ClassVar[Reason]
    REASON_HOLDOUT: _ClassVar[Reason]
    REASON_EXPLORED: _ClassVar[Reason]
    REASON_SHOW: _ClassVar[Reason]
    REASON_UNAVAILABLE: _ClassVar[Reason]
    REASON_FIRST_TRACKS: _ClassVar[Reason]
    REASON_IN_STREAK: _ClassVar[Reason]
    REASON_LISTENING_HOUR: _ClassVar[Reason]

class Rung(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUNG_UNSPECIFIED: _ClassVar[Rung]
    RUNG_FULL: _ClassVar[Rung]
    RUNG_NO_RESERVATION: _ClassVar[Rung]
    RUNG_NO_FEATURES: _ClassVar[Rung]
    RUNG_NO_MODEL: _ClassVar[Rung]
    RUNG_NO_TIME: _ClassVar[Rung]
    RUNG_PRIOR: _ClassVar[Rung]

class BudgetState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_STATE_UNSPECIFIED: _ClassVar[BudgetState]
    BUDGET_STATE_OPEN: _ClassVar[BudgetState]
    BUDGET_STATE_PACED: _ClassVar[BudgetState]
    BUDGET_STATE_SPENT: _ClassVar[BudgetState]

class ReservationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESERVATION_STATE_UNSPECIFIED: _ClassVar[ReservationState]
    RESERVATION_STATE_RESERVED: _ClassVar[ReservationState]
    RESERVATION_STATE_REPEATED: _ClassVar[ReservationState]
    RESERVATION_STATE_CAPPED: _ClassVar[ReservationState]
    RESERVATION_STATE_UNAVAILABLE: _ClassVar[ReservationState]
REASON_UNSPECIFIED: Reason
REASON_SWITCHED_OFF: Reason
REASON_UNKNOWN_CUSTOMER: Reason
REASON_INACTIVE: Reason
REASON_LEVEL: Reason
REASON_NO_CONSENT: Reason
REASON_COOL_DOWN: Reason
REASON_FREQUENCY_CAP: Reason
REASON_MINIMUM_GAP: Reason
REASON_CAMPAIGN_ENDED: Reason
REASON_BUDGET_SPENT: Reason
REASON_PACED: Reason
REASON_LOW_SCORE: Reason
REASON_HOLDOUT: Reason
REASON_EXPLORED: Reason
REASON_SHOW: Reason
REASON_UNAVAILABLE: Reason
REASON_FIRST_TRACKS: Reason
REASON_IN_STREAK: Reason
REASON_LISTENING_HOUR: Reason
RUNG_UNSPECIFIED: Rung
RUNG_FULL: Rung
RUNG_NO_RESERVATION: Rung
RUNG_NO_FEATURES: Rung
RUNG_NO_MODEL: Rung
RUNG_NO_TIME: Rung
RUNG_PRIOR: Rung
BUDGET_STATE_UNSPECIFIED: BudgetState
BUDGET_STATE_OPEN: BudgetState
BUDGET_STATE_PACED: BudgetState
BUDGET_STATE_SPENT: BudgetState
RESERVATION_STATE_UNSPECIFIED: ReservationState
RESERVATION_STATE_RESERVED: ReservationState
RESERVATION_STATE_REPEATED: ReservationState
RESERVATION_STATE_CAPPED: ReservationState
RESERVATION_STATE_UNAVAILABLE: ReservationState

class DecideRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "next_track_id", "device", "campaign_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_TRACK_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: int
    next_track_id: int
    device: _events_pb2.Device
    campaign_id: str
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[int] = ..., next_track_id: _Optional[int] = ..., device: _Optional[_Union[_events_pb2.Device, str]] = ..., campaign_id: _Optional[str] = ...) -> None: ...

class DecideResponse(_message.Message):
    __slots__ = ("show", "reason", "decision_id", "campaign_id", "score", "propensity", "arm", "model_version", "feature_age_ms", "rung", "degraded", "outcome_token")
    SHOW_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    FEATURE_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    show: bool
    reason: Reason
    decision_id: str
    campaign_id: str
    score: float
    propensity: float
    arm: str
    model_version: str
    feature_age_ms: int
    rung: Rung
    degraded: bool
    outcome_token: bytes
    def __init__(self, show: _Optional[bool] = ..., reason: _Optional[_Union[Reason, str]] = ..., decision_id: _Optional[str] = ..., campaign_id: _Optional[str] = ..., score: _Optional[float] = ..., propensity: _Optional[float] = ..., arm: _Optional[str] = ..., model_version: _Optional[str] = ..., feature_age_ms: _Optional[int] = ..., rung: _Optional[_Union[Rung, str]] = ..., degraded: _Optional[bool] = ..., outcome_token: _Optional[bytes] = ...) -> None: ...

class DecideBatchRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[DecideRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[DecideRequest, _Mapping]]] = ...) -> None: ...

class DecideBatchResponse(_message.Message):
    __slots__ = ("responses",)
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    responses: _containers.RepeatedCompositeFieldContainer[DecideResponse]
    def __init__(self, responses: _Optional[_Iterable[_Union[DecideResponse, _Mapping]]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("customer_id", "campaign_id", "next_track_id", "request_id")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    NEXT_TRACK_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    customer_id: int
    campaign_id: str
    next_track_id: int
    request_id: str
    def __init__(self, customer_id: _Optional[int] = ..., campaign_id: _Optional[str] = ..., next_track_id: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("field", "value", "text")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    field: str
    value: str
    text: str
    def __init__(self, field: _Optional[str] = ..., value: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class RuleOutcome(_message.Message):
    __slots__ = ("reason", "matched", "detail", "to_change")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    TO_CHANGE_FIELD_NUMBER: _ClassVar[int]
    reason: Reason
    matched: bool
    detail: str
    to_change: str
    def __init__(self, reason: _Optional[_Union[Reason, str]] = ..., matched: _Optional[bool] = ..., detail: _Optional[str] = ..., to_change: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("answer", "rules", "features", "nearest_yes")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    NEAREST_YES_FIELD_NUMBER: _ClassVar[int]
    answer: DecideResponse
    rules: _containers.RepeatedCompositeFieldContainer[RuleOutcome]
    features: _containers.RepeatedCompositeFieldContainer[NamedFeature]
    nearest_yes: _containers.RepeatedCompositeFieldContainer[Change]
    def __init__(self, answer: _Optional[_Union[DecideResponse, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[RuleOutcome, _Mapping]]] = ..., features: _Optional[_Iterable[_Union[NamedFeature, _Mapping]]] = ..., nearest_yes: _Optional[_Iterable[_Union[Change, _Mapping]]] = ...) -> None: ...

class NamedFeature(_message.Message):
    __slots__ = ("name", "value", "unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    unit: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., unit: _Optional[str] = ...) -> None: ...

class ReportOutcomeRequest(_message.Message):
    __slots__ = ("outcome_token", "kind", "at_ms")
    OUTCOME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    outcome_token: bytes
    kind: _events_pb2.AdEventKind
    at_ms: int
    def __init__(self, outcome_token: _Optional[bytes] = ..., kind: _Optional[_Union[_events_pb2.AdEventKind, str]] = ..., at_ms: _Optional[int] = ...) -> None: ...

class ReportOutcomeResponse(_message.Message):
    __slots__ = ("event_id",)
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    def __init__(self, event_id: _Optional[str] = ...) -> None: ...

class DecisionLogged(_message.Message):
    __slots__ = ("decision_id", "request", "response", "decided_at_ms", "features", "schema_version", "threshold", "contacts_in_period", "since_last_contact_ms", "service_version", "listener", "contacts", "campaigns_version", "budget", "reservation")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    CONTACTS_IN_PERIOD_FIELD_NUMBER: _ClassVar[int]
    SINCE_LAST_CONTACT_MS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    LISTENER_FIELD_NUMBER: _ClassVar[int]
    CONTACTS_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGNS_VERSION_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    RESERVATION_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    request: DecideRequest
    response: DecideResponse
    decided_at_ms: int
    features: _containers.RepeatedScalarFieldContainer[float]
    schema_version: str
    threshold: float
    contacts_in_period: int
    since_last_contact_ms: int
    service_version: str
    listener: bytes
    contacts: bytes
    campaigns_version: str
    budget: BudgetState
    reservation: ReservationState
    def __init__(self, decision_id: _Optional[str] = ..., request: _Optional[_Union[DecideRequest, _Mapping]] = ..., response: _Optional[_Union[DecideResponse, _Mapping]] = ..., decided_at_ms: _Optional[int] = ..., features: _Optional[_Iterable[float]] = ..., schema_version: _Optional[str] = ..., threshold: _Optional[float] = ..., contacts_in_period: _Optional[int] = ..., since_last_contact_ms: _Optional[int] = ..., service_version: _Optional[str] = ..., listener: _Optional[bytes] = ..., contacts: _Optional[bytes] = ..., campaigns_version: _Optional[str] = ..., budget: _Optional[_Union[BudgetState, str]] = ..., reservation: _Optional[_Union[ReservationState, str]] = ...) -> None: ...
