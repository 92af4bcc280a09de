"""What DicomSRValidator has said of the reports as they are now, and of which the sample does not ask."""

from ct_assets.collection import ReportValidation
from ct_assets.dicom.validators import ValidationOutcome
from ct_assets.sr_validation.cohort import chosen_series, known_verdicts
from ct_assets.store.digest import file_digest
from ct_assets.store.paths import CollectionFolder, SeriesFolder


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
        series = {one.series_instance_uid: one for one in store.all_series() if one.reports}
        self._chosen = set(chosen_series(series, settings))
        self._by_digest = {
            digest: ValidationOutcome(said["outcome"])
            for digest, said in known_verdicts(store.cohort.sr_validation).items()
        }
        # A sample speaks for the others only if every report of it, as it is now, is accepted.
        asked = (
            [path for uid in self._chosen for path in series[uid].reports] if len(self._chosen) < len(series) else []
        )
        accepted = (self._by_digest.get(file_digest(path)) is ValidationOutcome.ACCEPTED for path in asked)
        self._speaks_for_all = bool(asked) and all(accepted)

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
