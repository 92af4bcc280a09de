-- The tables of measurements by kind, with the columns of the published queries: one view per table and kind of SR.
-- The kind is told by the SeriesDescription, as there; a demonstration model adds to it at the end.
CREATE VIEW measurement_groups_features AS
SELECT
  SOPInstanceUID, measurementGroup_number, trackingUniqueIdentifier, trackingIdentifier, PatientID, SeriesDescription,
  finding, sourceSegmentedSeriesUID, segmentationInstanceUID, segmentationSegmentNumber, contentSequence
FROM measurement_groups
WHERE SeriesDescription LIKE '%Measurements%';

CREATE VIEW measurement_groups_landmarks AS
SELECT
  SOPInstanceUID, SeriesInstanceUID, measurementGroup_number, trackingUniqueIdentifier, trackingIdentifier, PatientID,
  SeriesDescription, contentSequence
FROM measurement_groups
WHERE SeriesDescription LIKE 'BPR landmark annotations%';

CREATE VIEW measurement_groups_regions AS
SELECT
  SOPInstanceUID, SeriesInstanceUID, measurementGroup_number, trackingUniqueIdentifier, trackingIdentifier, PatientID,
  SeriesDescription, contentSequence
FROM measurement_groups
WHERE SeriesDescription LIKE 'BPR region annotations%';

CREATE VIEW quantitative_measurements_features AS
SELECT * FROM quantitative_measurements
WHERE SeriesDescription LIKE '%Measurements%';

CREATE VIEW qualitative_measurements_landmarks AS
SELECT
  PatientID, SeriesInstanceUID, SOPInstanceUID, measurementGroup_number, trackingIdentifier, trackingUniqueIdentifier,
  ConceptNameCodeSequence, ConceptCodeSequence, topographical_modifier,
  ReferencedSOPInstanceUID, ReferencedSeriesInstanceUID, ReferencedStudyInstanceUID
FROM qualitative_measurements
WHERE SeriesDescription LIKE 'BPR landmark annotations%';

CREATE VIEW qualitative_measurements_regions AS
SELECT
  PatientID, SeriesInstanceUID, SOPInstanceUID, measurementGroup_number, trackingIdentifier, trackingUniqueIdentifier,
  ConceptNameCodeSequence, ConceptCodeSequence,
  ReferencedSOPInstanceUID, ReferencedSeriesInstanceUID, ReferencedStudyInstanceUID
FROM qualitative_measurements
WHERE SeriesDescription LIKE 'BPR region annotations%';
