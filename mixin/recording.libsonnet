// Recording rules, named level:metric:operations. The level lists the labels of the contract;
// labels of a place, such as cluster and namespace, stay besides.
function(config)
  local q = (import 'lib/promql.libsonnet')(config);
  // A newline at the end makes it a block of YAML.
  local rule(record, expr) = { record: record, expr: std.rstripChars(expr, '\n') + '\n' };
  local fastest = 'cec_call_speech_characters_per_minute';
  local score = 'cec_call_score';
  local ofRule = 'target_scenario_kind_rule';
  local shardLabels = std.join(', ', std.filter(function(label) label != 'job', config.copyLabels));

  // Histograms that start over are left out for an hour, like counters.
  local settled(expr, metric, selector='') =
    local s = if selector == '' then '' else '{' + selector + '}';
    '(%s) unless ignoring (le) resets(%s_count%s[1h]) > 0' % [expr, metric, s];

  local seconds = { '5m': 300, '30m': 1800, '1h': 3600, '2h': 7200, '6h': 21600, '1d': 86400, '3d': 259200 };
  local processing = 'cec_call_processing_seconds';
  local window(w) =
    local events = 'sum without (call_type, outcome) (%s)' % q.one(q.count(processing, '', w, 'increase'));
    local late = 'clamp_min(%s - sum without (call_type, outcome, le) (%s), 0)'
                 % [events, q.one(q.upTo(processing, '', config.processingLimit, w, 'increase'))];
    // Late for certain: left the lookback unfinished, or still pending.
    local lost = |||
      (sum without (call_type, status) (%s) or 0 * %s)
        +
      (target:cec_calls_overdue:min or 0 * %s)
    ||| % [q.one('increase(cec_calls_expired_total[%s])' % w), events, events];
    [
      rule('target:cec_calls_processing:increase' + w, events + '\n  +\n' + lost),
      rule('target:cec_calls_processing:late_increase' + w, late + '\n  +\n' + lost),
    ];
  {
    groups: [
      {
        name: 'cec_exporter',
        rules: [
          // A target whose first lookback is not in yet has no frontier: it is behind by all of it.
          rule('target:cec_exporter_frontier_lag_seconds:min', |||
            time() - %s
              or
            %s
          ||| % [q.one('cec_exporter_frontier_timestamp_seconds'), q.one('cec_window_seconds')]),
          rule('target:cec_exporter_reconcile_lag_seconds:min',
               'time() - ' + q.one('cec_exporter_reconcile_timestamp_seconds')),
          // Share of the last 15 minutes, so that flapping counts. One exporter that works is enough.
          rule('target:cec_up:avg15m', q.one('avg_over_time(cec_up[15m])')),
          // At the time of the scrape, so that it does not depend on how often that is.
          rule('target:cec_exporter_token_left_seconds:max', q.one(
            'cec_exporter_token_expiry_timestamp_seconds - timestamp(cec_exporter_token_expiry_timestamp_seconds)'
          )),
          // Each exporter asks for itself, so these are summed.
          rule('target:cec_exporter_api_requests:rate15m',
               q.one('rate(cec_exporter_api_requests_total[15m])', ['api', 'code'], 'sum')),
          rule('target:cec_exporter_api_requests:rate_limited_ratio_rate15m', |||
            (
              %s
                or
              0 * target:cec_exporter_api_requests:rate15m
            )
              /
            (target:cec_exporter_api_requests:rate15m > 0)
          ||| % q.one('rate(cec_exporter_api_requests_total{code="429"}[15m])', ['api', 'code'], 'sum')),
          rule('target_reason:cec_exporter_records_rejected:increase1h',
               q.one('increase(cec_exporter_records_rejected_total[1h])')),
          rule('target_reason:cec_exporter_windows_unproven:increase1h',
               q.one('increase(cec_exporter_windows_unproven_total[1h])')),
          // Exporters of a target. One that two jobs scrape is one.
          rule('target:cec_up:count',
               'count without (instance) (max without (%s) (cec_up))'
               % std.join(', ', std.filter(function(label) label != 'instance', config.copyLabels))),
          // Shards of one job that answer. Two that take themselves for the same one count once.
          rule('job:cec_exporter_shard_ordinal:count',
               'count without (shard) (count_values without (%s) ("shard", cec_exporter_shard_ordinal))' % shardLabels),
        ],
      },
      {
        name: 'cec_calls',
        rules: [
          rule('target_call_type:cec_calls:rate1h', q.one(q.rate('cec_calls_total'))),
          rule('target:cec_calls:rate1h', 'sum without (call_type) (target_call_type:cec_calls:rate1h)'),
          rule('target_call_type_status:cec_calls_processed:rate1h', q.one(q.rate('cec_calls_processed_total'))),
          rule('target_call_type:cec_calls_processed:rate1h',
               'sum without (status) (target_call_type_status:cec_calls_processed:rate1h)'),
          rule('target:cec_calls_processed:rate1h',
               'sum without (call_type) (target_call_type:cec_calls_processed:rate1h)'),
          // Nothing finished is no share, rather than 0 / 0.
          rule('target_call_type_status:cec_calls_processed:ratio_rate1h', |||
            target_call_type_status:cec_calls_processed:rate1h
              / ignoring (status) group_left ()
            (target_call_type:cec_calls_processed:rate1h > 0)
          |||),
          rule('target:cec_calls_failed:ratio_rate1h', |||
            sum without (call_type, status) (target_call_type_status:cec_calls_processed:rate1h{status!="succeeded"})
              /
            (target:cec_calls_processed:rate1h > 0)
          |||),
          // Calls of the hour before the frontier, where that hour is known: the frontier is near.
          rule('target:cec_recent_calls:sum', |||
            sum without (call_type) (%s)
              and
            target:cec_exporter_frontier_lag_seconds:min %s
          ||| % [q.one('cec_recent_calls'), q.below('frontier_lag_seconds')]),
          // What this hour usually has: the median of four weeks, and of each the quietest moment
          // of two hours, so that a clock change moves nothing.
          rule('target:cec_recent_calls:usual', 'quantile without (week) (0.5,\n' + std.join('\n    or\n', [
            '  label_replace(min_over_time(target:cec_recent_calls:sum[2h] offset %dh), "week", "%d", "", "")'
            % [168 * week - 1, week]
            for week in [1, 2, 3, 4]
          ]) + '\n)\n'),
        ],
      },
      {
        name: 'cec_pipeline',
        rules: [
          // As of the last complete reading and not of now: while the vendor cannot be asked,
          // nobody knows that a call is still pending.
          rule('target_call_type_status:cec_oldest_pending_call_age_seconds:max', |||
            clamp_min(
              %s
                - ignoring (call_type, status) group_right ()
              %s,
              0
            )
          ||| % [
            q.one('cec_exporter_frontier_timestamp_seconds'),
            q.one('cec_oldest_pending_call_timestamp_seconds', by='min'),
          ]),
          rule('target_call_type_status:cec_window_calls_pending:max',
               q.one('cec_window_calls{%s}' % q.pending)),
          // Of the last day, or of an average day in the lookback: the counters say nothing at a first start,
          // nor after a weekend, from before which stragglers are still pending.
          rule('target_call_type:cec_calls_per_day:max', q.larger(
            q.one('increase(cec_calls_total[1d])'),
            |||
              sum without (status) (%s)
                * ignoring (call_type) group_left ()
              clamp_max(86400 / %s, 1)
            ||| % [q.one('cec_window_calls'), q.one('cec_window_seconds')]
          )),
          // Calls of a stage that are overdue, at least: even if all calls of the last hour were
          // among them, and as many stragglers as the objective grants a day.
          rule('target_call_type_status:cec_calls_overdue:min', |||
            clamp_min(
              target_call_type_status:cec_window_calls_pending:max
                - ignoring (status) group_left ()
              (
                %s
                  +
                target_call_type:cec_calls_per_day:max
                  * on () group_left () (1 - max(cec:processing_objective:threshold))
              ),
              0
            )
          ||| % q.one('cec_recent_calls')),
          rule('target:cec_calls_overdue:min',
               'sum without (call_type, status) (target_call_type_status:cec_calls_overdue:min)'),
          rule('target_call_type:cec_window_missing_calls:max', q.one('cec_window_missing_calls')),
          rule('target_call_type:cec_window_missing_calls:ratio', |||
            target_call_type:cec_window_missing_calls:max
              /
            (target_call_type:cec_window_missing_calls:max + sum without (status) (%s) > 0)
          ||| % q.one('cec_window_calls')),
          rule('target_call_type:cec_calls_expired:increase1h',
               'sum without (status) (%s)' % q.one('increase(cec_calls_expired_total[1h])')),
        ],
      },
      {
        name: 'cec_processing_objective',
        rules: std.flattenArrays([window(w) for w in ['5m', '30m', '1h', '2h', '6h', '1d', '3d']]),
      },
      {
        name: 'cec_speech',
        rules: [
          rule('target_role:cec_call_speech_characters_per_minute_count:rate1h',
               q.one(settled(q.count(fastest, '', '1h'), fastest))),
          rule('target_role:cec_call_speech_characters_per_minute:fast_ratio_rate1h', |||
            1 -
            sum without (le) (%s)
              /
            (target_role:cec_call_speech_characters_per_minute_count:rate1h > 0)
          ||| % q.one(settled(q.upTo(fastest, '', config.fastSpeech, '1h'), fastest))),
          rule('target_role:cec_call_silence_seconds_count:rate1h',
               q.one(settled(q.count('cec_call_silence_seconds', 'role=~"customer|staff"', '1h'),
                             'cec_call_silence_seconds',
                             'role=~"customer|staff"'))),
          rule('target_role:cec_call_silence_seconds:mean_rate1h', |||
            %s
              /
            (target_role:cec_call_silence_seconds_count:rate1h > 0)
          ||| % q.one(settled(q.sum('cec_call_silence_seconds', 'role=~"customer|staff"', '1h'),
                              'cec_call_silence_seconds',
                              'role=~"customer|staff"'))),
          rule('target:cec_call_duration_seconds:mean_rate1h', |||
            sum without (call_type) (%s)
              /
            (sum without (call_type) (%s) > 0)
          ||| % [
            q.one(q.sum('cec_call_duration_seconds', 'call_type="voice"', '1h')),
            q.one(q.count('cec_call_duration_seconds', 'call_type="voice"', '1h')),
          ]),
          rule('target:cec_call_silence:ratio_rate1h', q.silence(
            ' without (role) ',
            'target_role:cec_call_silence_seconds:mean_rate1h',
            'target:cec_call_duration_seconds:mean_rate1h'
          )),
        ],
      },
      {
        name: 'cec_quality',
        // They look back over a week. Well below 5 minutes, after which a sample is not found any more.
        interval: '2m',
        rules: [
          rule('target_team:cec_team_calls_processed:rate1h',
               'sum without (call_type, status) (%s)' % q.one(q.rate('cec_team_calls_processed_total'))),
          // A day, so that the hours of a day need not be compared with each other. Calls that are counted
          // again after a restart without a ledger do not change a mean or a share.
          rule('target_scenario:cec_call_score_count:increase1d', q.one(q.count(score, '', '1d', 'increase'))),
          rule('target_scenario:cec_call_score_sum:increase1d', q.one(q.sum(score, '', '1d', 'increase'))),
          rule('target_scenario:cec_call_score:mean_increase1d', |||
            target_scenario:cec_call_score_sum:increase1d
              /
            (target_scenario:cec_call_score_count:increase1d > 0)
          |||),
          // The mean of all results of the week before this day, where they are enough.
          rule('target_scenario:cec_call_score:usual', |||
            avg_over_time(target_scenario:cec_call_score_sum:increase1d[1w] offset 1d)
              /
            (avg_over_time(target_scenario:cec_call_score_count:increase1d[1w] offset 1d) %s)
          ||| % q.atLeast('results_per_day')),
          rule(ofRule + '_result:cec_call_rules:increase1d', q.one('increase(cec_call_rules_total[1d])')),
          rule(ofRule + ':cec_call_rules:violated_ratio_increase1d', |||
            sum without (result) (%(r)s_result:cec_call_rules:increase1d{result="violated"})
              /
            (sum without (result) (%(r)s_result:cec_call_rules:increase1d) > 0)
          ||| % { r: ofRule }),
          rule(ofRule + ':cec_call_rules:violated_ratio_usual', |||
            sum without (result) (avg_over_time(%(r)s_result:cec_call_rules:increase1d{result="violated"}[1w] offset 1d))
              /
            (sum without (result) (avg_over_time(%(r)s_result:cec_call_rules:increase1d[1w] offset 1d)) %(enough)s)
          ||| % { r: ofRule, enough: q.atLeast('results_per_day') }),
        ],
      },
    ],
  }
