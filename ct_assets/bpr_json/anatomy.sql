-- The view anatomy: what each series shows, one row per series that body part regression has seen.
--
--   PatientID, StudyInstanceUID, SeriesInstanceUID
--   located           landmarks within the scan, by look-up value, which is from the feet up
--   not_located       the other landmarks, likewise; by name in a series that cannot be scored
--   position_mm       map: located landmark -> position along the slice normal in mm
--   reason            map: landmark that is not located -> why
--   regions           body regions that have slices, from the feet up
--   region_slices     map: region -> number of slices
--   region_ratio      map: region -> its slices divided by the slices with any region
--   lung_extent_mm    distance from lung_start to lung_end, null where one of them is not located
CREATE VIEW anatomy AS
WITH by_landmark AS (
  SELECT
    SeriesInstanceUID,
    coalesce(list(landmark ORDER BY score, landmark) FILTER (WHERE located), []) AS located,
    coalesce(list(landmark ORDER BY score, landmark) FILTER (WHERE NOT located), []) AS not_located,
    coalesce(map_from_entries(list((landmark, position_mm) ORDER BY score, landmark) FILTER (WHERE located)), MAP {}) AS position_mm,
    coalesce(map_from_entries(list((landmark, reason) ORDER BY score, landmark) FILTER (WHERE NOT located)), MAP {}) AS reason,
    abs(max(position_mm) FILTER (WHERE landmark = 'lung_end') - max(position_mm) FILTER (WHERE landmark = 'lung_start')) AS lung_extent_mm
  FROM landmarks
  GROUP BY SeriesInstanceUID
),
by_region AS (
  SELECT
    SeriesInstanceUID,
    list(region ORDER BY place) AS regions,
    map_from_entries(list((region, slices) ORDER BY place)) AS region_slices,
    map_from_entries(list((region, ratio) ORDER BY place)) AS region_ratio
  FROM (
    SELECT *, list_position(['legs', 'pelvis', 'abdomen', 'chest', 'shoulder-neck', 'head'], region) AS place FROM regions
  )
  GROUP BY SeriesInstanceUID
)
SELECT
  cohort.PatientID,
  cohort.StudyInstanceUID,
  by_landmark.SeriesInstanceUID,
  by_landmark.located,
  by_landmark.not_located,
  by_landmark.position_mm,
  by_landmark.reason,
  coalesce(by_region.regions, []) AS regions,
  coalesce(region_slices, MAP {}) AS region_slices,
  coalesce(region_ratio, MAP {}) AS region_ratio,
  by_landmark.lung_extent_mm
FROM by_landmark
LEFT JOIN by_region USING (SeriesInstanceUID)
LEFT JOIN cohort USING (SeriesInstanceUID)
ORDER BY PatientID, SeriesInstanceUID;
