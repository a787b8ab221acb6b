// Whether the list can be read, up to when, and what that costs.
function(config, t)
  local b = (import '../lib/board.libsonnet')(config, t, 'cec-exporter');
  local q = b.q, p = b.p;
  local s = b.place;
  local job = '%s=~"$cluster", job=~"$job"' % config.clusterLabel;
  // Of processes, and of what every program has: only those of exporters.
  local ofExporters(expr, info='cec_exporter_build_info{%s}' % job) = '%s and on (%s, job, instance) %s' % [expr, config.clusterLabel, info];
  local once = 'last_over_time(cec_exporter_build_info{%s}[1h])' % job;
  local whose = '{{%s}} {{namespace}} {{instance}}' % config.clusterLabel;
  // Pods of different clusters and namespaces have the same names.
  local exporter = '%s, namespace, instance' % config.clusterLabel;
  local lag = 'time() - max by (%s) (cec_exporter_frontier_timestamp_seconds{%s})' % [b.by, s];
  local seen = 'max by (%s) (last_over_time(cec_up{%s}[1h]))' % [b.by, s];
  local up = 'max by (%s) (cec_up{%s})' % [b.by, s];
  local failing = 'sum by (%s) (cec_exporter_pull_failures_total{%s}) > 0' % [b.by, s];
  local pulls(range) = q.count('cec_exporter_pull_duration_seconds', s, range);
  local requests(by, selector='') = '60 * sum by (%s) (rate(cec_exporter_api_requests_total{%s%s}[$__rate_interval]))' % [by, s, selector];
  // Of requests without an HTTP status.
  local codes = ['timeout', 'connect', 'body', 'envelope'];
  b.make('CEC / Exporter', "Whether the exporter can read the vendor's list, how current it is, and how many requests that takes.", [
    [[15, 6, b.health], [9, 6, b.alerts]],
    'Now',
    [
      [4, 4, p.stat('Exporters down', 'Exporters that were scraped within the last hour and cannot be scraped now.', 'count(%s) or 0 * count(%s)' % [ofExporters('up{%s} == 0' % job, once), once], 'none', [p.step('green', 0), p.step('red', 1)], 'no exporter')],
      [4, 4, p.stat('Targets down', 'Targets reported within the last hour whose last pull failed, or that are no longer reported. A target is loading, not down, until its first pull ends.', 'count(%s == 0 and %s %s) or 0 * count(%s)' % ['(' + up + ' or 0 * ' + seen + ')', b.on, '((' + failing + ') or (' + seen + ' unless ' + up + '))', seen], 'none', [p.step('green', 0), p.step('red', 1)], 'no target')],
      [4, 4, p.stat('Frontier lag', 'Age of the frontier, the time up to which the list is complete, of the target furthest behind. Targets that are no longer reported count with their last frontier.', 'max(time() - max by (%s) (last_over_time(cec_exporter_frontier_timestamp_seconds{%s}[1h])))' % [b.by, s], 's', [p.step('green', 0), p.step('orange', 300), p.step('red', config.thresholds.frontier_lag_seconds)], 'not read yet', decimals=0)],
      [4, 4, p.stat('Configuration', 'Whether all exporters loaded their configuration successfully at the last attempt.', 'min(cec_exporter_config_last_reload_successful{%s})' % job, 'none', [p.step('red', 0), p.step('green', 1)], 'no exporter', mappings=p.mapping([['1', 'loaded', 'green'], ['0', 'failed', 'red']]))],
      [4, 4, p.stat('Clock skew', "Difference between the vendor's clock and the exporter's, for the target with the largest difference.", 'max(abs(cec_exporter_clock_skew_seconds{%s}))' % s, 's', [p.step('green', 0), p.step('red', config.thresholds.clock_skew_seconds)], decimals=0)],
      [4, 4, p.stat('Ledger used', 'Remembered calls as a share of max_calls, for the target closest to the limit.', 'max(max by (%(by)s) (cec_exporter_ledger_calls{%(s)s}) / max by (%(by)s) (cec_exporter_ledger_calls_limit{%(s)s}))' % { by: b.by, s: s }, 'percentunit', [p.step('green', 0), p.step('red', config.thresholds.ledger_used_ratio)], decimals=1)],
    ],
    'Targets',
    [
      [12, 8, p.timeline('Targets up', 'Whether the last pull of each target succeeded; the worst value of each step. A target shows as down until its first pull ends.', 'max by (%s) (min_over_time(cec_up{%s}[$__interval]))' % [b.by, s], b.who, p.mapping([['1', 'up', 'green'], ['0', 'down', 'red']]))],
      [12, 8, p.graph('Frontier lag by target', 'Age of the frontier, the time up to which the list is complete. A target without a line is still loading.', [
        ['max by (' + b.by + ') (max_over_time((%s)[$__interval:1m]))' % lag, b.who],
      ], 'min', interval='1m', limits=[p.step('red', config.thresholds.frontier_lag_seconds)])],
    ],
    'Errors',
    [
      [12, 8, p.graph('Failed pulls an hour by reason', 'Pulls that failed, by reason.', [
        ['3600 * sum by (reason) (rate(cec_exporter_pull_failures_total{%s}[$__rate_interval])) > 0' % s, '{{reason}}'],
      ], 'locale', decimals=0, none='none')],
      [12, 8, p.graph('Failed requests', 'Requests a minute with an answer other than 200. Most of them are retried.', [
        [requests(b.by + ', api, code', ', code!="200"') + ' > 0', b.who + ' {{api}} {{code}}'],
      ], 'locale', decimals=1, none='none', values=codes)],
    ],
    [
      [12, 8, p.graph('Rejected records an hour by reason', 'Records that could not be used or, as measure, single values of usable records. Each counts once.', [
        ['3600 * sum by (' + b.by + ', reason) (%s) > 0' % q.one('rate(cec_exporter_records_rejected_total{%s}[$__rate_interval])' % s), b.who + ' {{reason}}'],
      ], 'locale', decimals=0, none='none', values=['identity', 'measure', 'shape', 'upload_time'])],
      [12, 8, p.graph('Unproven parts of the list', 'Parts of the list an hour that were accepted without proof of completeness or skipped, by reason.', [
        ['3600 * sum by (' + b.by + ', reason) (%s) > 0' % q.one('rate(cec_exporter_windows_unproven_total{%s}[$__rate_interval])' % s), b.who + ' {{reason}}'],
      ], 'locale', decimals=0, none='none', values=['changing', 'total', 'unreadable'])],
    ],
    { row: 'Pulls', lines: [
      [
        [12, 8, p.graph('Pulls a minute', 'Pulls that ended, successful or not. Each exporter pulls on its own.', [
          ['60 * sum by (' + b.by + ') (%s)' % pulls('$__rate_interval'), b.who],
          ['60 * sum by (' + b.by + ') (rate(cec_exporter_scrapes_before_pull_end_total{%s}[$__rate_interval])) > 0' % s, t('answered early') + ' ' + b.who],
        ], 'locale', decimals=1)],
        [12, 8, p.graph('Duration of pulls', 'Median and 99th percentile.', [
          [q.quantile(0.5, 'cec_exporter_pull_duration_seconds', s, '$__rate_interval', [b.by]), t('median') + ' ' + b.who],
          [q.quantile(0.99, 'cec_exporter_pull_duration_seconds', s, '$__rate_interval', [b.by]), t('99th percentile') + ' ' + b.who],
        ], 's', interval='15m')],
      ],
      [
        [12, 8, p.graph('Time since the last success', 'Time since a pull last succeeded.', [
          ['time() - max by (' + b.by + ') (cec_exporter_last_success_timestamp_seconds{%s})' % s, b.who],
        ], 'min', interval='1m')],
        [12, 8, p.graph('Time to the next pull', 'Determined by the backoff and the pull interval. Below 0, the target waits for the next scrape.', [
          ['min by (' + b.by + ') (cec_exporter_next_pull_timestamp_seconds{%s}) - time()' % s, b.who],
          ['max by (' + b.by + ') (cec_exporter_min_pull_interval_seconds{%s})' % s, t('pull interval') + ' ' + b.who],
        ], 'suffix: s', interval='1m', min=null, decimals=0)],
      ],
      [
        [12, 8, p.graph('Time since the last reconciliation', 'Time since the whole lookback was last reconciled with the list.', [
          ['time() - max by (' + b.by + ') (cec_exporter_reconcile_timestamp_seconds{%s})' % s, b.who],
        ], 'min', interval='1m', limits=[p.step('red', config.thresholds.reconcile_lag_seconds)])],
        [12, 8, p.graph('Remaining token lifetime', 'As of each scrape. A sawtooth that stays clear of 0 is normal.', [
          ['max by (' + b.by + ') (cec_exporter_token_expiry_timestamp_seconds{%s} - timestamp(cec_exporter_token_expiry_timestamp_seconds{%s}))' % [s, s], b.who],
        ], 'min', interval='1m')],
      ],
    ] },
    { row: 'Requests to the vendor', lines: [
      [
        [12, 8, p.graph('Requests a minute by response', 'By HTTP status, or by the kind of error if that says more.', [
          [requests('api, code') + ' > 0', '{{api}} {{code}}'],
        ], 'locale', decimals=1, values=codes)],
        [12, 8, p.graph('Requests and retries per pull', 'Requests per pull, and how many of them are retries of failed requests.', [
          [q.ratio('sum by (' + b.by + ') (rate(cec_exporter_api_requests_total{%s}[$__rate_interval]))' % s, 'sum by (' + b.by + ') (%s)' % pulls('$__rate_interval')), b.who],
          [q.ratio('sum by (' + b.by + ') (rate(cec_exporter_api_retries_total{%s}[$__rate_interval]))' % s, 'sum by (' + b.by + ') (%s)' % pulls('$__rate_interval')), t('retries') + ' ' + b.who],
        ], 'locale', interval='15m', decimals=1)],
      ],
      [
        [12, 10, p.graph('Duration of requests', 'Median and 95th percentile, from sending the request to the last byte of the response.', [
          [q.quantile(0.5, 'cec_exporter_api_request_duration_seconds', s, '$__rate_interval', ['api']), t('median') + ' {{api}}'],
          [q.quantile(0.95, 'cec_exporter_api_request_duration_seconds', s, '$__rate_interval', ['api']), t('95th percentile') + ' {{api}}'],
        ], 's', interval='15m')],
        [12, 10, p.heatmap('Distribution of request durations', 'Requests by duration.', q.buckets('cec_exporter_api_request_duration_seconds', s, '$__rate_interval'), 's')],
      ],
    ] },
    { row: 'Process', lines: [
      [
        [8, 8, p.graph('Memory of each exporter', 'Resident memory.', [[ofExporters('process_resident_memory_bytes{%s}' % job), whose]], 'bytes')],
        [8, 8, p.graph('CPU of each exporter', 'Share of one CPU core.', [[ofExporters('rate(process_cpu_seconds_total{%s}[$__rate_interval])' % job), whose]], 'percentunit')],
        [8, 8, p.graph('Open files of each exporter', 'Open file descriptors, including connections.', [[ofExporters('process_open_fds{%s}' % job), whose]], 'locale')],
      ],
      [
        [8, 8, p.graph('Calls remembered by target', 'Calls in the ledger; the largest number if several exporters pull the target.', [['max by (' + b.by + ') (cec_exporter_ledger_calls{%s})' % s, b.who]], 'locale')],
        [8, 8, p.graph('Ledger on disk by target', 'Size of the ledger file.', [['max by (' + b.by + ') (cec_exporter_storage_bytes{%s})' % s, b.who]], 'bytes')],
        [8, 8, p.graph('Scrapes', 'Scrapes a minute by HTTP status, and those in flight.', [
          ['60 * sum by (code) (%s)' % ofExporters('rate(promhttp_metric_handler_requests_total{%s}[$__rate_interval])' % job), '{{code}}'],
          ['sum(%s)' % ofExporters('promhttp_metric_handler_requests_in_flight{%s}' % job), t('in flight')],
        ], 'locale', decimals=1)],
      ],
      [
        [12, 8, p.table('Exporters', 'Versions, shards, and when the configuration was loaded.', [
          { name: 'Shard', expr: 'max by (%s) (cec_exporter_shard_ordinal{%s})' % [exporter, job] },
          { name: 'Shards', expr: 'max by (%s) (cec_exporter_total_shards{%s})' % [exporter, job] },
          { name: 'Version', label: 'version', expr: 'max by (%s, version, revision) (cec_exporter_build_info{%s})' % [exporter, job] },
          { name: 'Loaded', expr: '1000 * max by (%s) (cec_exporter_config_last_reload_success_timestamp_seconds{%s})' % [exporter, job], unit: 'dateTimeFromNow' },
        ], [[config.clusterLabel, 'Cluster', [p.width(80)]], ['namespace', 'Namespace', [p.width(100)]], ['instance', 'Exporter'], ['revision', 'Revision']], none='no exporter')],
        [12, 8, p.table('Configuration of the targets', 'Endpoint and query range of each target.', [
          { name: 'Lookback', expr: 'max by (%s) (cec_window_seconds{%s})' % [b.by, s], unit: 's', width: 90 },
          { name: 'Endpoint', label: 'endpoint', expr: 'max by (%s, endpoint, call_types) (cec_target_info{%s})' % [b.by, s] },
        ], [[config.clusterLabel, 'Cluster', [p.width(80)]], ['target', 'Target', [p.width(110)]], ['call_types', 'Call types', [p.width(100)]]], none='no target')],
      ],
    ] },
    { row: 'Terms', lines: [[[24, 7, b.guide]]] },
  ], variables=[
    b.variable('job', 'Job', 'Jobs of Prometheus that scrape exporters.', 'label_values(cec_exporter_build_info{%s=~"$cluster"}, job)' % config.clusterLabel),
  ], time='now-6h')
