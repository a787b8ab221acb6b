// How many calls, how they end, how long they last.
function(config, t)
  local b = (import '../lib/board.libsonnet')(config, t, 'cec-contact-centre');
  local q = b.q, p = b.p;
  local s = b.place + ', call_type=~"$call_type"';
  local calls(selector='') = q.one('cec_window_calls{%s%s}' % [s, selector]);
  local processed(range, selector='', offset='') = q.one('increase(cec_calls_processed_total{%s%s}[%s]%s)' % [s, selector, range, offset]);
  local finished(range) = 'sum(%s)' % processed(range);
  local succeeded(range) = 'sum(%s)' % processed(range, ', status="succeeded"');
  // A week before counts for the targets that had data at its start and its end. An instant query has no other
  // start than its own moment, so the range is a part of the offset: 1w86400s.
  local present(offset) = b.present([
    ['last_over_time', 'cec_window_seconds{%s}' % b.place],
    ['last_over_time', 'cec_window_calls{%s}' % s],
  ], offset);
  local compared(offset) = |||
    sum(
      sum by (%(by)s) (%(calls)s)
        and on (%(by)s)
      (%(end)s)
        and on (%(by)s)
      (%(start)s)
    )
  ||| % {
    by: b.by,
    calls: q.one('increase(cec_calls_total{%s}[$__range]%s)' % [s, offset]),
    end: present('1w'),
    start: present('1w$__range'),
  };
  local lastWeek = '%s/\n(%s> 0) - 1' % [compared(''), compared(' offset 1w')];
  local duration = 'cec_call_duration_seconds';
  b.make('CEC / Contact centre', 'How many calls there are, how their processing ends and how long they last, now and a week before.', [
    [[15, 6, b.health], [9, 6, b.alerts]],
    'Now',
    [
      [4, 4, p.stat('Calls in the last hour', 'Calls uploaded in the hour before the frontier, the time up to which the list is complete.', 'sum(%s)' % q.one('cec_recent_calls{%s}' % s), 'locale')],
      [4, 4, p.stat('Calls in the lookback', "Calls uploaded within the lookback of the target, one day by default.", 'sum(%s)' % calls(), 'locale')],
      [4, 4, p.stat('Being processed', 'Calls that are waiting for inspection, being transcribed or being inspected.', 'sum(%s)' % calls(', ' + q.pending), 'locale', links=[b.toPipeline])],
      [4, 4, p.stat('Processing completed', 'Share of the calls finished in the selected time range whose processing succeeded. This is not the pass rate of quality inspection.', q.ratio(succeeded('$__range'), finished('$__range')), 'percentunit', [p.step('red', 0), p.step('orange', 0.9), p.step('green', 0.95)], 'nothing finished', decimals=1, links=[b.toPipeline])],
      [4, 4, p.stat('Coverage', 'Inspected calls as a share of the calls that arrived in the selected time range. Pending calls count as not yet inspected.', 'clamp_max(%s, 1)' % q.ratio(succeeded('$__range'), 'sum(%s)' % q.one('increase(cec_calls_total{%s}[$__range])' % s)), 'percentunit', none='no calls', decimals=1)],
      [4, 4, p.stat('Calls vs last week', 'Calls in the selected time range compared with a week before: 0 means the same number. Shown only if the week before is complete.', lastWeek, 'percentunit', none='no last week', decimals=0)],
    ],
    'Calls',
    [
      [12, 8, p.graph('Calls an hour by type', 'Calls uploaded in the hour before each point in time, whenever they were read: catching up after an outage does not show as a peak.', [
        ['sum by (call_type) (%s)' % q.one('cec_recent_calls{%s}' % s), '{{call_type}}'],
        ['sum(%s)' % q.one('cec_recent_calls{%s} offset 1w' % s), t('a week before')],
      ], 'locale', stack=true)],
      [12, 8, p.graph('Calls in the lookback by status', 'By the status last seen; statuses without calls are left out.', [
        ['sum by (status) (%s) > 0' % calls(', status!="succeeded"'), '{{status}}'],
        // Stacked last, so that the outline of the whole is green.
        ['sum by (status) (%s) > 0' % calls(', status="succeeded"'), '{{status}}'],
        ['sum(%s) > 0' % q.one('cec_window_missing_calls{%s}' % s), t('no longer listed')],
      ], 'locale', stack=true, links=[b.toPipeline])],
    ],
    [
      [12, 8, p.graph('Finished an hour by status', 'Calls that reached a final status, each counted once. Times of catching up after an outage are left out.', [
        ['sum by (status) (%s) > 0' % b.steady('3600 * ' + q.one('rate(cec_calls_processed_total{%s, %s}[$__rate_interval])' % [s, status])), '{{status}}']
        for status in ['status!="succeeded"', 'status="succeeded"']
      ], 'locale', stack=true, decimals=0, links=[b.toPipeline])],
      [12, 8, p.graph('Processing completed', 'Share of finished calls whose processing succeeded. There is no line where no call finished.', [
        [q.ratio('sum by (call_type) (%s)' % processed('$__rate_interval', ', status="succeeded"'), 'sum by (call_type) (%s)' % processed('$__rate_interval')), '{{call_type}}'],
        [q.ratio('sum(%s)' % processed('$__rate_interval', ', status="succeeded"', ' offset 1w'), 'sum(%s)' % processed('$__rate_interval', '', ' offset 1w')), t('a week before')],
      ], 'percentunit', interval='15m', none='nothing finished')],
    ],
    'Duration',
    [
      [4, 4, p.stat('Median duration', 'Half of the calls that succeeded in the selected time range were shorter.', q.quantile(0.5, duration, s, '$__range'), 's', none='no calls', decimals=1)],
      [4, 4, p.stat('95th percentile', 'One in twenty calls that succeeded in the selected time range was longer.', q.quantile(0.95, duration, s, '$__range'), 's', none='no calls', decimals=1)],
      [4, 4, p.stat('Mean duration', 'Mean of the calls that succeeded in the selected time range.', q.ratio('sum(%s)' % q.one(q.sum(duration, s, '$__range', 'increase')), 'sum(%s)' % q.one(q.count(duration, s, '$__range', 'increase'))), 's', none='no calls', decimals=1)],
      [12, 12, p.heatmap('Distribution of duration', 'Calls that succeeded, by duration.', q.buckets(duration, s, '$__rate_interval', b.steady), 's')],
    ],
    [
      [12, 8, p.graph('Duration of calls', 'Median and 95th percentile of the duration of calls that succeeded.', [
        [q.quantile(0.5, duration, s, '$__rate_interval'), t('median')],
        [q.quantile(0.95, duration, s, '$__rate_interval'), t('95th percentile')],
      ], 'min', interval='15m')],
    ],
    'Terms',
    [[24, 7, b.guide]],
  ])
