// How many calls, how they end, how long they last.
function(config, t)
  local b = (import '../lib/board.libsonnet')(config, t);
  local q = b.q, p = b.p;
  local s = b.place + ', call_type=~"$call_type"';
  local pending = 'status=~"waiting|transcribing|inspecting|unknown_.*"';
  local calls(selector='') = q.one('cec_window_calls{%s%s}' % [s, selector]);
  local processed(range, selector='', offset='') = q.one('increase(cec_calls_processed_total{%s%s}[%s]%s)' % [s, selector, range, offset]);
  local finished(range) = 'sum(%s)' % processed(range);
  local succeeded(range) = 'sum(%s)' % processed(range, ', status="succeeded"');
  // A week before counts only if there were data at the start of that time.
  local lastWeek = |||
    sum(%(now)s)
      / (
        sum(%(then)s)
          and on ()
        sum(cec_window_seconds{%(place)s} offset 1w)
          and on ()
        sum(last_over_time(cec_window_seconds{%(place)s}[1h] @ start() offset 1w))
          > 0
      ) - 1
  ||| % {
    now: q.one('increase(cec_calls_total{%s}[$__range])' % s),
    'then': q.one('increase(cec_calls_total{%s}[$__range] offset 1w)' % s),
    place: b.place,
  };
  local duration = 'cec_call_duration_seconds';
  b.make('cec-contact-centre', 'CEC / Contact centre', 'How many calls there are, how their processing ends and how long they last, now and compared with a week before.', [
    [[15, 6, b.health('cec-contact-centre')], [9, 6, b.alerts]],
    'Now',
    [
      [4, 4, p.stat('Calls in the last hour', 'Calls uploaded in the hour before the list was last read completely.', 'sum(%s)' % q.one('cec_recent_calls{%s}' % s), 'locale')],
      [4, 4, p.stat('Calls in the lookback', "Calls uploaded within the target's lookback, which is a day unless configured otherwise.", 'sum(%s)' % calls(), 'locale')],
      [4, 4, p.stat('Being processed', 'Calls that wait for inspection, are being transcribed or inspected.', 'sum(%s)' % calls(', ' + pending), 'locale', links=[b.drill('Pipeline dashboard', 'cec-pipeline' + t('uid suffix'))])],
      [4, 4, p.stat('Processing completed', 'Share of the calls finished in the time shown whose processing succeeded. This is not the pass rate of quality inspection.', q.ratio(succeeded('$__range'), finished('$__range')), 'percentunit', [p.step('red', 0), p.step('orange', 0.9), p.step('green', 0.95)], 'nothing finished', decimals=1, links=[b.drill('Pipeline dashboard', 'cec-pipeline' + t('uid suffix'))])],
      [4, 4, p.stat('Coverage', 'Share of the calls that arrived in the time shown that were inspected. Calls still on their way count as not inspected yet.', q.ratio(succeeded('$__range'), 'sum(%s)' % q.one('increase(cec_calls_total{%s}[$__range])' % s)), 'percentunit', none='no calls', decimals=1)],
      [4, 4, p.stat('Calls against last week', 'Calls of the time shown, compared with the same time a week before: 0 is as many. Only with a complete week to compare with.', lastWeek, 'percentunit', none='no last week', decimals=0)],
    ],
    'Calls',
    [
      [12, 8, p.graph('Calls an hour by type', 'Calls uploaded in the hour before each moment. It does not matter when they were read: a gap that is caught up later makes no peak.', [
        ['sum by (call_type) (%s)' % q.one('cec_recent_calls{%s}' % s), '{{call_type}}'],
        ['sum(%s)' % q.one('cec_recent_calls{%s} offset 1w' % s), t('a week before')],
      ], 'locale', stack=true)],
      [12, 8, p.graph('Calls in the lookback by status', 'By the status last seen, without those that are 0.', [
        ['sum by (status) (%s) > 0' % calls(), '{{status}}'],
        ['sum(%s) > 0' % q.one('cec_window_missing_calls{%s}' % s), t('no longer listed')],
      ], 'locale', stack=true, links=[b.drill('Pipeline dashboard', 'cec-pipeline' + t('uid suffix'))])],
    ],
    [
      [12, 8, p.graph('Finished an hour by status', 'Calls that reached a final status, once each. Moments in which a gap was caught up are left out, and marked as not read.', [
        ['sum by (status) (%s) > 0' % b.steady('3600 * ' + q.one('rate(cec_calls_processed_total{%s}[$__rate_interval])' % s)), '{{status}}'],
      ], 'short', stack=true, decimals=0, links=[b.drill('Pipeline dashboard', 'cec-pipeline' + t('uid suffix'))])],
      [12, 8, p.graph('Processing completed', 'Share of finished calls whose processing succeeded. There is no line where none was finished.', [
        [q.ratio('sum by (call_type) (%s)' % processed('$__rate_interval', ', status="succeeded"'), 'sum by (call_type) (%s)' % processed('$__rate_interval')), '{{call_type}}'],
        [q.ratio('sum(%s)' % processed('$__rate_interval', ', status="succeeded"', ' offset 1w'), 'sum(%s)' % processed('$__rate_interval', '', ' offset 1w')), t('a week before')],
      ], 'percentunit', interval='15m', none='nothing finished')],
    ],
    'Duration',
    [
      [4, 4, p.stat('Median duration', 'Half of the calls that succeeded in the time shown were shorter.', q.quantile(0.5, duration, s, '$__range'), 's', none='no calls', decimals=1)],
      [4, 4, p.stat('95th percentile', 'One in twenty calls that succeeded in the time shown was longer.', q.quantile(0.95, duration, s, '$__range'), 's', none='no calls', decimals=1)],
      [4, 4, p.stat('Mean duration', 'Of the calls that succeeded in the time shown.', q.ratio('sum(%s)' % q.one(q.sum(duration, s, '$__range', 'increase')), 'sum(%s)' % q.one(q.count(duration, s, '$__range', 'increase'))), 's', none='no calls', decimals=1)],
      [12, 12, p.heatmap('Distribution of duration', 'How many calls that succeeded had which duration.', q.buckets(duration, s, '$__rate_interval'), 's')],
    ],
    [
      [12, 8, p.graph('Duration of calls', 'Median and 95th percentile of the duration of calls that succeeded.', [
        [q.quantile(0.5, duration, s, '$__rate_interval'), t('median')],
        [q.quantile(0.95, duration, s, '$__rate_interval'), t('95th percentile')],
      ], 's', interval='15m')],
    ],
    'Terms',
    [[24, 6, b.guide]],
  ], callTypes=true)
