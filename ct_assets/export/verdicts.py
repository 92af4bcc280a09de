"""What DicomSRValidator has said of the reports as they are now, and of which the sample does not ask."""

from ct_assets.collection import ReportValidation
from ct_assets.dicom.validators import ValidationOutcome
from ct_assets.sr_validation.cohort import chosen_series
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import CollectionFolder, SeriesFolder
from ct_assets.store.tables import SR_VALIDATION


class ReportVerdicts:
    """Verdicts of a collection.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    settings : ReportValidation
        Which series are validated.
    """

    def __init__(self, store: CollectionFolder, settings: ReportValidation) -> None:
        series = [one.series_instance_uid for one in store.all_series() if one.reports]
        self._chosen = set(chosen_series(series, settings))
        path = store.cohort.sr_validation
        rows = SR_VALIDATION.read(path) if path.is_file() else SR_VALIDATION.empty()
        self._by_digest = {
            str(digest): ValidationOutcome(outcome)
            for digest, outcome in zip(rows["sha256"], rows["outcome"], strict=True)
        }
        # A sample speaks for the others only as long as nothing in it is rejected.
        asked = rows[rows["SeriesInstanceUID"].isin(self._chosen)]
        self._speaks_for_all = len(asked) > 0 and set(asked["outcome"]) == {ValidationOutcome.ACCEPTED.value}

    def of(self, folder: SeriesFolder) -> dict[str, ValidationOutcome | None]:
        """Return the verdict on each report by file name.

        It is None where the sample speaks for the report, and absent where nothing does.

        Parameters
        ----------
        folder : SeriesFolder
            The series.
        """
        verdicts: dict[str, ValidationOutcome | None] = {}
        for path in folder.reports:
            said = self._by_digest.get(file_digest(path))
            if said is not None:
                verdicts[path.name] = said
            elif self._speaks_for_all and folder.series_instance_uid not in self._chosen:
                verdicts[path.name] = None
        return verdicts
