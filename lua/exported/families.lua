--- What the lifecycle exports: { name, type, help, buckets = upper bounds }.
--
-- COMPAT: names, types, labels and buckets of flagger_* are those that dashboards and rules of Flagger's users read.

return {
  { "flagger_info", "gauge", "Flagger version and mesh provider information" },
  { "flagger_canary_total", "gauge", "Total number of canary object" },
  { "flagger_canary_status", "gauge", "Last canary analysis result" },
  { "flagger_canary_weight", "gauge", "The virtual service destination weight current value" },
  { "flagger_canary_metric_analysis", "gauge", "Last canary analysis result per metric" },
  { "flagger_canary_duration_seconds", "histogram", "Seconds spent performing canary analysis.",
    buckets = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 } },
  { "flagger_canary_successes_total", "counter", "Total number of canary successes" },
  { "flagger_canary_failures_total", "counter", "Total number of canary failures" },
  { "serin_promotions_total", "counter", "Revisions that were promoted." },
  { "serin_rollbacks_total", "counter", "Revisions that were rolled back." },
}
