from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Channel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANNEL_UNSPECIFIED: _ClassVar[Channel]
    CHANNEL_PLAYER: _ClassVar[Channel]
    CHANNEL_SMS: _ClassVar[Channel]

class Device(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEVICE_UNSPECIFIED: _ClassVar[Device]
    DEVICE_MOBILE: _ClassVar[Device]
    DEVICE_PC: _ClassVar[Device]

class Level(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEVEL_UNSPECIFIED: _ClassVar[Level]
    LEVEL_FREE: _ClassVar[Level]
    LEVEL_SILVER: _ClassVar[Level]
    LEVEL_GOLD: _ClassVar[Level]

class Gender(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GENDER_UNSPECIFIED: _ClassVar[Gender]
    GENDER_FEMALE: _ClassVar[Gender]
    GENDER_MALE: _ClassVar[Gender]
    GENDER_OTHER: _ClassVar[Gender]

class AdEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AD_EVENT_KIND_UNSPECIFIED: _ClassVar[AdEventKind]
    AD_EVENT_KIND_IMPRESSION: _ClassVar[AdEventKind]
    AD_EVENT_KIND_CLICK: _ClassVar[AdEventKind]
    AD_EVENT_KIND_DISMISS: _ClassVar[AdEventKind]
    AD_EVENT_KIND_CONVERSION: _ClassVar[AdEventKind]

class SmsStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SMS_STATUS_UNSPECIFIED: _ClassVar[SmsStatus]
    SMS_STATUS_ACCEPTED: _ClassVar[SmsStatus]
    SMS_STATUS_SENT: _ClassVar[SmsStatus]
    SMS_STATUS_DELIVERED: _ClassVar[SmsStatus]
    SMS_STATUS_FAILED: _ClassVar[SmsStatus]
    SMS_STATUS_SUPPRESSED: _ClassVar[SmsStatus]

class SmsReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SMS_REASON_UNSPECIFIED: _ClassVar[SmsReason]
    SMS_REASON_UNKNOWN_CUSTOMER: _ClassVar[SmsReason]
    SMS_REASON_INACTIVE: _ClassVar[SmsReason]
    SMS_REASON_LEVEL: _ClassVar[SmsReason]
    SMS_REASON_NO_CONSENT: _ClassVar[SmsReason]
    SMS_REASON_NO_PHONE: _ClassVar[SmsReason]
    SMS_REASON_ALREADY_SENT: _ClassVar[SmsReason]
    SMS_REASON_FREQUENCY_CAP: _ClassVar[SmsReason]
    SMS_REASON_EXPIRED: _ClassVar[SmsReason]
    SMS_REASON_UNKNOWN_CAMPAIGN: _ClassVar[SmsReason]
    SMS_REASON_OPERATOR_REFUSED: _ClassVar[SmsReason]
    SMS_REASON_UNDELIVERABLE: _ClassVar[SmsReason]
    SMS_REASON_UNCERTAIN: _ClassVar[SmsReason]
    SMS_REASON_BUDGET_SPENT: _ClassVar[SmsReason]
    SMS_REASON_HOLDOUT: _ClassVar[SmsReason]
CHANNEL_UNSPECIFIED: Channel
CHANNEL_PLAYER: Channel
CHANNEL_SMS: Channel
DEVICE_UNSPECIFIED: Device
DEVICE_MOBILE: Device
DEVICE_PC: Device
LEVEL_UNSPECIFIED: Level
LEVEL_FREE: Level
LEVEL_SILVER: Level
LEVEL_GOLD: Level
GENDER_UNSPECIFIED: Gender
GENDER_FEMALE: Gender
GENDER_MALE: Gender
GENDER_OTHER: Gender
AD_EVENT_KIND_UNSPECIFIED: AdEventKind
AD_EVENT_KIND_IMPRESSION: AdEventKind
AD_EVENT_KIND_CLICK: AdEventKind
AD_EVENT_KIND_DISMISS: AdEventKind
AD_EVENT_KIND_CONVERSION: AdEventKind
SMS_STATUS_UNSPECIFIED: SmsStatus
SMS_STATUS_ACCEPTED: SmsStatus
SMS_STATUS_SENT: SmsStatus
SMS_STATUS_DELIVERED: SmsStatus
SMS_STATUS_FAILED: SmsStatus
SMS_STATUS_SUPPRESSED: SmsStatus
SMS_REASON_UNSPECIFIED: SmsReason
SMS_REASON_UNKNOWN_CUSTOMER: SmsReason
SMS_REASON_INACTIVE: SmsReason
SMS_REASON_LEVEL: SmsReason
SMS_REASON_NO_CONSENT: SmsReason
SMS_REASON_NO_PHONE: SmsReason
SMS_REASON_ALREADY_SENT: SmsReason
SMS_REASON_FREQUENCY_CAP: SmsReason
SMS_REASON_EXPIRED: SmsReason
SMS_REASON_UNKNOWN_CAMPAIGN: SmsReason
SMS_REASON_OPERATOR_REFUSED: SmsReason
SMS_REASON_UNDELIVERABLE: SmsReason
SMS_REASON_UNCERTAIN: SmsReason
SMS_REASON_BUDGET_SPENT: SmsReason
SMS_REASON_HOLDOUT: SmsReason

class Listen(_message.Message):
    __slots__ = ("event_id", "customer_id", "track_id", "played_at_ms", "device", "postal_code", "utc_offset_minutes")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TRACK_ID_FIELD_NUMBER: _ClassVar[int]
    PLAYED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    POSTAL_CODE_FIELD_NUMBER: _ClassVar[int]
    UTC_OFFSET_MINUTES_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    customer_id: int
    track_id: int
    played_at_ms: int
    device: Device
    postal_code: str
    utc_offset_minutes: int
    def __init__(self, event_id: _Optional[str] = ..., customer_id: _Optional[int] = ..., track_id: _Optional[int] = ..., played_at_ms: _Optional[int] = ..., device: _Optional[_Union[Device, str]] = ..., postal_code: _Optional[str] = ..., utc_offset_minutes: _Optional[int] = ...) -> None: ...

class AdEvent(_message.Message):
    __slots__ = ("event_id", "customer_id", "kind", "at_ms", "decision_id", "campaign_id", "channel")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    customer_id: int
    kind: AdEventKind
    at_ms: int
    decision_id: str
    campaign_id: str
    channel: Channel
    def __init__(self, event_id: _Optional[str] = ..., customer_id: _Optional[int] = ..., kind: _Optional[_Union[AdEventKind, str]] = ..., at_ms: _Optional[int] = ..., decision_id: _Optional[str] = ..., campaign_id: _Optional[str] = ..., channel: _Optional[_Union[Channel, str]] = ...) -> None: ...

class Customer(_message.Message):
    __slots__ = ("customer_id", "updated_at_ms", "level", "active", "consent_player_offers", "consent_sms", "phone", "name", "address", "postal_code", "time_zone", "gender", "birth_year", "erased_at_ms")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    CONSENT_PLAYER_OFFERS_FIELD_NUMBER: _ClassVar[int]
    CONSENT_SMS_FIELD_NUMBER: _ClassVar[int]
    PHONE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    POSTAL_CODE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    GENDER_FIELD_NUMBER: _ClassVar[int]
    BIRTH_YEAR_FIELD_NUMBER: _ClassVar[int]
    ERASED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    customer_id: int
    updated_at_ms: int
    level: Level
    active: bool
    consent_player_offers: bool
    consent_sms: bool
    phone: str
    name: str
    address: str
    postal_code: str
    time_zone: str
    gender: Gender
    birth_year: int
    erased_at_ms: int
    def __init__(self, customer_id: _Optional[int] = ..., updated_at_ms: _Optional[int] = ..., level: _Optional[_Union[Level, str]] = ..., active: _Optional[bool] = ..., consent_player_offers: _Optional[bool] = ..., consent_sms: _Optional[bool] = ..., phone: _Optional[str] = ..., name: _Optional[str] = ..., address: _Optional[str] = ..., postal_code: _Optional[str] = ..., time_zone: _Optional[str] = ..., gender: _Optional[_Union[Gender, str]] = ..., birth_year: _Optional[int] = ..., erased_at_ms: _Optional[int] = ...) -> None: ...

class Interest(_message.Message):
    __slots__ = ("interest_id", "customer_id", "track_id", "window_start_ms", "window_end_ms", "listens")
    INTEREST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    TRACK_ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_START_MS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_END_MS_FIELD_NUMBER: _ClassVar[int]
    LISTENS_FIELD_NUMBER: _ClassVar[int]
    interest_id: str
    customer_id: int
    track_id: int
    window_start_ms: int
    window_end_ms: int
    listens: int
    def __init__(self, interest_id: _Optional[str] = ..., customer_id: _Optional[int] = ..., track_id: _Optional[int] = ..., window_start_ms: _Optional[int] = ..., window_end_ms: _Optional[int] = ..., listens: _Optional[int] = ...) -> None: ...

class SmsRequest(_message.Message):
    __slots__ = ("request_id", "customer_id", "campaign_id", "requested_at_ms", "expires_at_ms", "score", "model_version")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    customer_id: int
    campaign_id: str
    requested_at_ms: int
    expires_at_ms: int
    score: float
    model_version: str
    def __init__(self, request_id: _Optional[str] = ..., customer_id: _Optional[int] = ..., campaign_id: _Optional[str] = ..., requested_at_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., score: _Optional[float] = ..., model_version: _Optional[str] = ...) -> None: ...

class SmsEvent(_message.Message):
    __slots__ = ("event_id", "request_id", "customer_id", "campaign_id", "status", "reason", "at_ms", "operator_message_id")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    request_id: str
    customer_id: int
    campaign_id: str
    status: SmsStatus
    reason: SmsReason
    at_ms: int
    operator_message_id: str
    def __init__(self, event_id: _Optional[str] = ..., request_id: _Optional[str] = ..., customer_id: _Optional[int] = ..., campaign_id: _Optional[str] = ..., status: _Optional[_Union[SmsStatus, str]] = ..., reason: _Optional[_Union[SmsReason, str]] = ..., at_ms: _Optional[int] = ..., operator_message_id: _Optional[str] = ...) -> None: ...
