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
  { "serin_check_verdicts_total", "counter", "Verdicts of checks: pass, fail, nodata, error, inconclusive." },
  { "serin_policy_decisions_total", "counter", "Decisions of policies, but for the default's." },
  { "serin_shadow_disagreements_total", "counter", "Steps at which a policy in the shadow would have done else." },
  { "serin_release_duration_seconds", "histogram", "Seconds from a new revision to its promotion or rollback.",
    buckets = { 60, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400 } },
  { "serin_change_failure_ratio", "gauge", "Rollbacks among the releases that ended since the process began." },
  { "serin_ticks_total", "counter", "Looks at Canaries." },
  { "serin_tick_errors_total", "counter", "Looks at Canaries that failed and were repeated." },
  { "serin_tick_lateness_seconds", "gauge", "How late the most overdue look at a Canary is now." },
  { "serin_api_requests_total", "counter", "Requests to the API server." },
  { "serin_api_errors_total", "counter", "Requests to the API server that failed." },
  { "serin_cache_objects", "gauge", "Objects in the caches." },
  { "serin_cache_bytes", "gauge", "Bytes of objects in the caches." },
  { "serin_script_refused", "gauge", "Custom scripts whose newest version is refused." },
  { "serin_promotions_total", "counter", "Revisions that were promoted." },
  { "serin_rollbacks_total", "counter", "Revisions that were rolled back." },
}
