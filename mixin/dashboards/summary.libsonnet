// Yesterday, this week and last week at a glance, for managers.
function(config, t)
  local b = (import '../lib/board.libsonnet')(config, t, 'cec-summary');
  local q = b.q, p = b.p;
  local s = b.place;
  local sum(expr) = 'sum by (%s) (%s)' % [b.by, q.one(expr)];
  local r = '$__range';
  local calls = sum('increase(cec_calls_total{%s}[%s])' % [s, r]);
  local done = sum('increase(cec_calls_processed_total{%s, status="succeeded"}[%s])' % [s, r]);
  local both = s + ', role=~"customer|staff"';
  local voice = s + ', call_type="voice"';
  local ofRoles(part) = 'sum by (%s, role) (%s)' % [b.by, q.one(part('cec_call_silence_seconds', both, r, 'increase'))];
  local durations(selector) = q.ratio(sum(q.sum('cec_call_duration_seconds', selector, r, 'increase')), sum(q.count('cec_call_duration_seconds', selector, r, 'increase')));
  local columns = [
    { name: 'Calls', expr: calls + ' > 0', unit: 'locale', decimals: 0 },
    { name: 'Completed', expr: q.ratio(done, sum('increase(cec_calls_processed_total{%s}[%s])' % [s, r])), unit: 'percentunit', decimals: 1, colours: [p.step('red', 0), p.step('orange', 0.9), p.step('green', 0.95)] },
    { name: 'Coverage', expr: 'clamp_max(%s, 1)' % q.ratio(done, calls), unit: 'percentunit', decimals: 1 },
    { name: 'In time', expr: b.inTime(function(expr) 'sum by (%s) (%s)' % [b.by, expr], s, r), unit: 'percentunit', decimals: 1, colours: [p.step('red', 0), p.step('orange', 0.9), p.step('green', config.thresholds.processing_objective)] },
    { name: 'Mean duration', expr: durations(s), unit: 's', decimals: 1 },
    { name: 'Speed of staff', expr: q.ratio(sum(q.sum('cec_call_speech_characters_per_minute', s + ', role="staff"', r, 'increase')), sum(q.count('cec_call_speech_characters_per_minute', s + ', role="staff"', r, 'increase'))), unit: 'suffix: chars/min', decimals: 0 },
    {
      name: 'Silence',
      expr: q.silence(' by (%s) ' % b.by, q.ratio(ofRoles(q.sum), ofRoles(q.count)), '(%s)' % durations(voice)),
      unit: 'percentunit',
      decimals: 1,
    },
  ];
  // Grafana links to the range of the dashboard, which is not that of these panels.
  local period(title, description, from, shift, link) = p.table(title, description, columns, [[config.clusterLabel, 'Cluster'], ['target', 'Target', [p.linksTo([b.ofCell('Contact centre dashboard', 'cec-contact-centre', link)])]]], none='no data', sort='Calls') {
    timeFrom: from,
    [if shift != null then 'timeShift']: shift,
    // It would say "today so far timeshift -1d/d".
    hideTimeOverride: true,
  };
  b.make('CEC / Summary', 'Yesterday, this week and last week of each contact centre, for managers. The time picker affects only the graph below.', [
    [[24, 7, period('Yesterday', 'From midnight to midnight, in the time zone of the dashboard.', 'now/d', '1d/d', 'from=now-1d/d&to=now-1d/d')]],
    [[24, 7, period('This week', 'From the first day of the week until now.', 'now/w', null, 'from=now/w&to=now')]],
    [[24, 7, period('Last week', 'The whole of the previous week.', 'now/w', '1w/w', 'from=now-1w/w&to=now-1w/w')]],
    [[15, 6, b.health], [9, 6, b.alerts]],
    [[24, 8, p.graph('Calls an hour by target', 'Calls uploaded in the hour before each point in time.', [
      ['sum by (' + b.by + ') (%s)' % q.one('cec_recent_calls{%s}' % s), b.who],
    ], 'locale')]],
    [[24, 7, b.guide]],
  ], time='now-7d')
