// How fast people speak, and how much of a call is talk or silence.
function(config, t)
  local b = (import '../lib/board.libsonnet')(config, t, 'cec-speech-quality');
  local q = b.q, p = b.p;
  // Channels without a known speaker are left out unless they are chosen.
  local s = b.place + ', role=~"$role"';
  local speed = 'cec_call_speech_characters_per_minute';
  local mean(metric, range, offset='', of=s) = q.ratio(
    'sum by (role) (%s)' % q.one(q.sum(metric, of, range, 'increase', offset)),
    'sum by (role) (%s)' % q.one(q.count(metric, of, range, 'increase', offset))
  );
  local faster(range) = '1 - ' + q.ratio(
    'sum by (role) (sum without (le) (%s))' % q.one(q.upTo(speed, s, '$fast', range, 'increase')),
    'sum by (role) (%s)' % q.one(q.count(speed, s, range, 'increase'))
  );
  local slower(range) = q.ratio(
    'sum by (role) (sum without (le) (%s))' % q.one(q.upTo(speed, s, '$slow', range, 'increase')),
    'sum by (role) (%s)' % q.one(q.count(speed, s, range, 'increase'))
  );
  local both = b.place + ', role=~"customer|staff"';
  local voice = b.place + ', call_type="voice"';
  local silence(range) = q.silence('', mean('cec_call_silence_seconds', range, of=both), '(%s)' % q.ratio(
    'sum(%s)' % q.one(q.sum('cec_call_duration_seconds', voice, range, 'increase')),
    'sum(%s)' % q.one(q.count('cec_call_duration_seconds', voice, range, 'increase'))
  ));
  local choice(name, label, description, values, chosen) = {
    type: 'custom',
    name: name,
    label: t(label),
    description: t(description),
    query: std.join(', ', values),
    options: [{ selected: value == chosen, text: value, value: value } for value in values],
    current: { selected: true, text: chosen, value: chosen },
    multi: false,
    includeAll: false,
  };
  b.make('CEC / Speech quality', 'How fast customers and staff speak, and how much of a call is talk or silence. Voice calls only, counted when they first succeed. Teams, agents, scores and rules are on the dashboard Quality.', [
    [[15, 6, b.health], [9, 6, b.alerts]],
    'Selected time range',
    [
      [6, 4, p.stat('Mean speaking speed', 'Characters a minute, by speaker.', mean(speed, '$__range'), 'suffix: chars/min', none='no calls', decimals=0, legend='{{role}}')],
      [6, 4, p.stat('Calls with fast speech', 'Share of calls in which a speaker is faster than the limit chosen above.', faster('$__range'), 'percentunit', none='no calls', decimals=1, legend='{{role}}')],
      [6, 4, p.stat('Calls with slow speech', 'Share of calls in which a speaker is no faster than the lower limit chosen above.', slower('$__range'), 'percentunit', none='no calls', decimals=1, legend='{{role}}')],
      [6, 4, p.stat('Silence', 'Share of the call time in which nobody speaks, so longer calls weigh more.', silence('$__range'), 'percentunit', [p.step('green', 0), p.step('orange', 0.4), p.step('red', config.thresholds.silence_ratio)], 'no calls', decimals=1)],
    ],
    'Speaking speed',
    [
      [12, 8, p.graph('Mean speaking speed', 'Mean of the calls, by speaker.', [
        [mean(speed, '$__rate_interval'), '{{role}}'],
      ], 'suffix: chars/min', interval='15m', min=null, decimals=0)],
      [12, 8, p.graph('Calls out of the limits', 'Share of calls in which a speaker is faster or slower than the limits chosen above.', [
        [faster('$__rate_interval'), t('fast') + ': {{role}}'],
        [slower('$__rate_interval'), t('slow') + ': {{role}}'],
      ], 'percentunit', interval='15m')],
    ],
    [
      [12, 10, p.graph('Median and 95th percentile of speed', 'Half of the speakers are slower than the median, one in twenty is faster than the 95th percentile.', [
        [q.quantile(0.5, speed, s, '$__rate_interval', ['role']), t('median') + ' {{role}}'],
        [q.quantile(0.95, speed, s, '$__rate_interval', ['role']), t('95th percentile') + ' {{role}}'],
      ], 'suffix: chars/min', interval='15m', min=null, decimals=0)],
      [12, 10, p.heatmap('Distribution of speed', 'Calls by mean speaking speed in characters a minute, for the roles chosen above.', q.buckets(speed, s, '$__rate_interval', b.steady), 'none')],
    ],
    'Talk and silence',
    [
      [12, 8, p.graph('Silence', 'Share of the call time in which nobody speaks. If both sides speak at once, the actual silence is slightly longer.', [
        [silence('$__rate_interval'), t('Silence')],
      ], 'percentunit', interval='15m', limits=[p.step('red', config.thresholds.silence_ratio)])],
      [12, 8, p.graph('Share of talk', 'Mean share of a call in which a speaker talks.', [
        [mean('cec_call_speech_ratio', '$__rate_interval'), '{{role}}'],
      ], 'percentunit', interval='15m')],
    ],
    { row: 'Details', lines: [
      [
        [12, 8, p.graph('Speed vs last week', 'Change of the mean against a week before: 0 means no change. Empty until there is a week of history.', [
          ['%s / (%s) - 1' % [mean(speed, '$__rate_interval'), mean(speed, '$__rate_interval', ' offset 1w')], '{{role}}'],
        ], 'percentunit', interval='15m', min=null, none='no last week')],
        [12, 8, p.graph('Seconds of silence', 'Time in which a speaker is silent: median and 95th percentile.', [
          [q.quantile(0.5, 'cec_call_silence_seconds', s, '$__rate_interval', ['role']), t('median') + ' {{role}}'],
          [q.quantile(0.95, 'cec_call_silence_seconds', s, '$__rate_interval', ['role']), t('95th percentile') + ' {{role}}'],
        ], 'suffix: s', interval='15m', decimals=0)],
      ],
      [
        [12, 10, p.heatmap('Distribution of silence', 'Calls by the silence of a speaker, for the roles chosen above.', q.buckets('cec_call_silence_seconds', s, '$__rate_interval', b.steady), 's')],
        [12, 10, p.heatmap('Distribution of talk', 'Calls by the share of talk of a speaker, for the roles chosen above.', q.buckets('cec_call_speech_ratio', s, '$__rate_interval', b.steady), 'percentunit')],
      ],
    ] },
    { row: 'Terms', lines: [[[24, 7, b.guide]]] },
  ], variables=[
    b.variable('role', 'Speaker', 'Customer or staff. "unknown" is a channel without a known speaker.', 'label_values(cec_call_speech_ratio_count{%s}, role)' % b.place) { allValue: 'customer|staff' },
    choice('fast', 'Fast above', 'Characters a minute; a bound of the histogram.', ['240', '260', '280', '300', '330', '360', '420'], '300'),
    choice('slow', 'Slow below', 'Characters a minute; a bound of the histogram.', ['60', '90', '120', '150', '180'], '120'),
  ])
