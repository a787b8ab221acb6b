// The one place for what differs between installations. To change something, write a file of your
// own, such as
//   (import 'mixin/files.libsonnet') + { config+:: { clusterLabel: 'region' } }
{
  config:: {
    language: 'en',

    // Selects the exporter's own process metrics. Dashboards offer the jobs as a variable.
    job: 'cec_exporter',
    // Tells one Prometheus from another where several are stored together. Series without it are
    // fine.
    clusterLabel: 'cluster',
    // Labels that tell one copy of a series from another: two exporters of one target, or two jobs
    // that scrape the same exporter. Rules aggregate these away; every other label stays.
    copyLabels: ['job', 'instance', 'pod', 'container', 'endpoint', 'service', 'node', 'prometheus_replica'],

    // Whether the database may store native histograms. VictoriaMetrics does not, and refuses their
    // functions.
    nativeHistograms: true,

    // Put in front of runbook_url. Relative by default; an absolute address makes links clickable.
    runbookUrlPrefix: '',

    // A call is processed in time within this many seconds. It has to be a bound of
    // cec_call_processing_seconds.
    processingLimit: 1800,
    // Speech above this many characters a minute is fast. A bound of the histogram as well.
    fastSpeech: 300,

    // Every number that the alerts compare with. Rules write them as series.
    thresholds: {
      frontier_lag_seconds: 600,
      reconcile_lag_seconds: 10800,
      target_up_ratio_down: 0.5,
      target_up_ratio_flapping: 0.9,
      token_left_seconds: 10,
      token_renewal_seconds: 60,
      rate_limited_ratio: 0.05,
      records_rejected_per_hour: 10,
      windows_unproven_per_hour: 10,
      clock_skew_seconds: 60,
      ledger_used_ratio: 0.9,
      exporters_per_target: 1,
      processing_objective: 0.95,
      pending_age_seconds: 3600,
      pending_calls: 10,
      missing_ratio: 0.05,
      missing_calls: 10,
      expired_calls_per_hour: 10,
      finished_calls_per_hour: 20,
      failed_calls_per_hour: 5,
      failed_ratio: 0.1,
      quota_failed_ratio: 0.2,
      asr_failed_ratio: 0.05,
      dried_up_ratio: 0.2,
      dried_up_calls_per_hour: 60,
      fast_speech_ratio: 0.3,
      silence_ratio: 0.5,
      results_per_day: 100,
      score_drop_points: 5,
      rule_violated_factor: 2,
      rule_violations_per_day: 40,
      results_age_ratio: 0.5,
      results_backlog_calls: 20,
    },
  },
}
