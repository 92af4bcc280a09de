"""What a reviewer rejected, as the cohort page lists it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RejectedRow:
    """One subject of one model of a series that a reviewer rejected; ``reviewed_at`` is an ISO 8601 time."""

    patient_id: str
    series_instance_uid: str
    model: str
    subject: str
    reviewer: str
    reviewed_at: str
    comment: str
