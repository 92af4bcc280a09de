-- The view organ_shapes: one row per series, model and organ, with a column per shape feature.
--
--   PatientID, StudyInstanceUID, SeriesInstanceUID
--   model             nnU-Net configuration, or expert
--   organ
--   Elongation ...    the 14 features, in mm, mm2, mm3, 1/mm or without a unit; null where not measured
--   components        separate parts of the organ
--   at_border         sides of the image that it touches, where it may be cut off
--   reason            why it was not measured, or not all of it
CREATE VIEW organ_shapes AS
WITH by_organ AS (
  SELECT
    SeriesInstanceUID,
    model,
    organ,
    label,
    max(value) FILTER (WHERE feature = 'Elongation') AS Elongation,
    max(value) FILTER (WHERE feature = 'Flatness') AS Flatness,
    max(value) FILTER (WHERE feature = 'LeastAxisLength') AS LeastAxisLength,
    max(value) FILTER (WHERE feature = 'MajorAxisLength') AS MajorAxisLength,
    max(value) FILTER (WHERE feature = 'Maximum3DDiameter') AS Maximum3DDiameter,
    max(value) FILTER (WHERE feature = 'MeshVolume') AS MeshVolume,
    max(value) FILTER (WHERE feature = 'MinorAxisLength') AS MinorAxisLength,
    max(value) FILTER (WHERE feature = 'Sphericity') AS Sphericity,
    max(value) FILTER (WHERE feature = 'SurfaceArea') AS SurfaceArea,
    max(value) FILTER (WHERE feature = 'SurfaceVolumeRatio') AS SurfaceVolumeRatio,
    max(value) FILTER (WHERE feature = 'VoxelVolume') AS VoxelVolume,
    max(value) FILTER (WHERE feature = 'Compactness1') AS Compactness1,
    max(value) FILTER (WHERE feature = 'Compactness2') AS Compactness2,
    max(value) FILTER (WHERE feature = 'SphericalDisproportion') AS SphericalDisproportion,
    components,
    at_border,
    max(reason) AS reason
  FROM shape_features
  GROUP BY SeriesInstanceUID, model, label, organ, components, at_border
)
SELECT cohort.PatientID, cohort.StudyInstanceUID, by_organ.* EXCLUDE (label)
FROM by_organ
LEFT JOIN cohort USING (SeriesInstanceUID)
ORDER BY PatientID, SeriesInstanceUID, model, label;

-- The view shape_distributions: how each feature is distributed over the series, by organ and model.
--
--   organ, model, feature, unit
--   n, not_measured                                     series with and without a value
--   minimum, p05, q1, median, q3, p95, maximum          quantiles, interpolated
--   mean, standard_deviation                            of the sample
CREATE VIEW shape_distributions AS
SELECT
  organ,
  model,
  feature,
  unit,
  count(value) AS n,
  count(*) - count(value) AS not_measured,
  min(value) AS minimum,
  quantile_cont(value, 0.05) AS p05,
  quantile_cont(value, 0.25) AS q1,
  median(value) AS median,
  quantile_cont(value, 0.75) AS q3,
  quantile_cont(value, 0.95) AS p95,
  max(value) AS maximum,
  avg(value) AS mean,
  stddev_samp(value) AS standard_deviation
FROM shape_features
GROUP BY label, organ, model, feature, unit
ORDER BY feature, label, model;
