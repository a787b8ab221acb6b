// Teams, agents, scores and rules: for whoever is responsible for quality.
function(config, t)
  local b = (import '../lib/board.libsonnet')(config, t, 'cec-quality');
  local q = b.q, p = b.p;
  local s = b.place;
  local range = '$__range';
  // Scores and rules have few observations an hour: lines are over six hours, each of their moments.
  local hours = '6h';
  local lastWeek = ' offset 1w';

  // A panel of a feature that has to be enabled says so, and leads to the page about it.
  local page = { title: t('How to enable it'), url: '${runbooks}' + t('page on quality'), targetBlank: true };
  local ofTeams = 'no data: enable teams_file', ofAgents = 'no data: enable agents', ofResults = 'no data: enable results';
  local enabled(panel) = panel { links: [page] };
  // Many lines that cross: what is below them would be a mixture of colours.
  local lines(panel) = enabled(panel) { fieldConfig+: { defaults+: { custom+: { fillOpacity: 0 } } } };

  local named(by, label, properties=[]) = [[config.clusterLabel, 'Cluster', [p.width(65)]], ['target', 'Target', [p.width(85)]], [by, label, properties]];
  // Ids are long.
  local agent = named('staff_id', 'Agent', [p.width(195)]);
  local sum(by, expr) = 'sum by (%s) (%s)' % [by, q.one(expr)];

  // A week before counts only if there were data at the start of that time; see the board of the contact centre.
  local wholeWeek = b.present([
    ['last_over_time', 'cec_exporter_folded_teams{%s}' % s],
    ['increase', 'cec_team_calls_processed_total{%s}' % s],
  ], '1w' + range);

  // Of teams and agents: the same measures, as histograms and as summaries.
  // Below `enough` calls, a share of failures is chance, and would have a colour.
  local measures(kind, by, total, count, enough, colour) = {
    local keys = b.by + ', ' + by,
    local of(metric) = 'cec_%s_%s' % [kind, metric],
    // Every query names the same rows, or those that a table is not about would be rows of one cell.
    local processed(offset='', selector='') = sum(keys, 'increase(cec_%s_calls_processed_total{%s%s}[%s]%s)' % [kind, s, selector, range, offset]),
    local mean(metric, offset='') = q.ratio(sum(keys, total(of(metric), offset)), sum(keys, count(of(metric), offset))),
    calls:: processed() + ' > 0',
    mean:: mean,
    columns:: {
      calls: { name: 'Calls', expr: processed() + ' > 0', unit: 'locale', decimals: 0 },
      callsChange: { name: 'Calls vs last week', width: 145, expr: '%s / (%s > 0) - 1\n  and on (%s)\n(%s)' % [processed(), processed(lastWeek), b.by, wholeWeek], unit: 'percentunit', decimals: 0 },
      failed: { name: 'Failed', expr: '%s / (%s >= %d)' % [processed('', ', status!="succeeded"'), processed(), enough], unit: 'percentunit', decimals: 1, colours: [p.step('orange', config.thresholds.failed_ratio / 2), p.step('red', config.thresholds.failed_ratio)] },
      duration: { name: 'Mean duration', expr: mean('call_duration_seconds'), unit: 's', decimals: 1 },
      speed: { name: 'Speaking speed', expr: mean('call_speech_characters_per_minute'), unit: 'suffix: chars/min', decimals: 0, [if colour then 'colours']: [p.step('orange', config.fastSpeech)] },
      speedChange: { name: 'Speed vs last week', width: 155, expr: '%s / (%s) - 1' % [mean('call_speech_characters_per_minute'), mean('call_speech_characters_per_minute', lastWeek)], unit: 'percentunit', decimals: 1 },
      silence: { name: 'Silent', expr: mean('call_silence_seconds'), unit: 'suffix: s', decimals: 0 },
      talk: { name: 'Share of talk', expr: mean('call_speech_ratio'), unit: 'percentunit', decimals: 0 },
    },
  };
  local teams = measures(
    'team', 'team',
    function(metric, offset) q.sum(metric, s, range, 'increase', offset),
    function(metric, offset) q.count(metric, s, range, 'increase', offset),
    20,
    true
  );
  local agents = measures(
    'agent', 'staff_id',
    function(metric, offset) 'increase(%s_sum{%s}[%s]%s)' % [metric, s, range, offset],
    function(metric, offset) 'increase(%s_count{%s}[%s]%s)' % [metric, s, range, offset],
    10,
    false
  );
  // Only these rows.
  local only(rows, column) = column { expr: '(%s)\n  and on (%s, staff_id)\n%s' % [column.expr, b.by, rows] };
  local people = 'staff_id!~"none|other"';
  local busiest = 'topk(15, sum by (%s, staff_id) (%s))' % [b.by, q.one('increase(cec_agent_calls_processed_total{%s, %s}[%s])' % [s, people, range])];
  // How far each agent is from the mean of all of them.
  local fromMean(metric) = |||
    (sum by (%(by)s, staff_id) (%(sum)s) / (sum by (%(by)s, staff_id) (%(count)s) >= 10))
      / on (%(by)s) group_left ()
    (sum by (%(by)s) (%(sum)s) / (sum by (%(by)s) (%(count)s) > 0))
      - 1
  ||| % {
    by: b.by,
    sum: q.one('increase(cec_agent_%s_sum{%s, %s}[%s])' % [metric, s, people, range]),
    count: q.one('increase(cec_agent_%s_count{%s, %s}[%s])' % [metric, s, people, range]),
  };
  local farthest(title, description, metric, column) =
    local rows = 'topk(15, abs(%s))' % fromMean(metric);
    enabled(p.table(title, description, [
      { name: 'Against the mean', expr: '(%s)\n  and\n%s' % [fromMean(metric), rows], unit: 'percentunit', decimals: 1 },
      only(rows, column),
    ], agent, none='no agent with ten calls, or agents are not enabled', sort='Against the mean'));

  local teamMean(metric, window, offset='') = q.ratio(
    'sum by (team) (%s)' % q.one(q.sum(metric, s, window, 'increase', offset)),
    'sum by (team) (%s)' % q.one(q.count(metric, s, window, 'increase', offset))
  );
  local score = 'cec_call_score';
  local meanScore(window, by='', offset='') = q.ratio(
    'sum by (%s) (%s)' % [by, q.one(q.sum(score, s, window, 'increase', offset))],
    'sum by (%s) (%s)' % [by, q.one(q.count(score, s, window, 'increase', offset))]
  );
  local rules(window, by, selector='', offset='') = 'sum by (%s) (%s)' % [by, q.one('increase(cec_call_rules_total{%s%s}[%s]%s)' % [s, selector, window, offset])];
  local violated(window, by, offset='') = q.ratio(rules(window, by, ', result="violated"', offset), rules(window, by, '', offset));
  local ofRule = b.by + ', scenario, kind, rule';
  local worst = 'topk(20, %s)' % violated(range, ofRule);
  local top(expr) = '(%s)\n  and on (%s)\n%s' % [expr, ofRule, worst];
  local results(outcome) = q.one('increase(cec_exporter_results_total{%s%s}[%s])' % [s, outcome, range]);

  b.make('CEC / Quality', 'Which team, which rule, which scenario, and is it improving? Teams, agents and inspection results have to be enabled in the configuration of the exporter.', [
    [[15, 6, b.health], [9, 6, b.alerts]],
    'Selected time range',
    [
      [4, 4, enabled(p.stat('Mean score', 'Mean points of the inspection results of the selected time range, 0 to 100.', meanScore(range), 'none', none=ofResults, decimals=1))],
      [4, 4, enabled(p.stat('Score vs last week', 'Points by which the mean score is above that of a week before; negative: below. Empty until there is a week of history.', '%s - %s' % [meanScore(range), meanScore(range, '', lastWeek)], 'suffix: points', none='no last week', decimals=1))],
      [4, 4, enabled(p.stat('Violated rules', 'Share of all checks of a rule in the selected time range that found it violated.', violated(range, ''), 'percentunit', none=ofResults, decimals=1))],
      [4, 4, enabled(p.stat('Inspection results', 'Calls of the selected time range whose inspection result was counted. With a share below 1, it is a sample.', 'sum(%s)' % results(', outcome="counted"'), 'locale', none=ofResults, decimals=0))],
      [4, 4, enabled(p.stat('Results pending', 'Calls whose inspection result is still to be requested.', 'sum(%s)' % q.one('cec_exporter_results_pending{%s}' % s), 'locale', none=ofResults, decimals=0))],
      [4, 4, enabled(p.stat('Oldest pending result', 'Time since the upload of the oldest call whose inspection result is still to be requested; 0 if there is none.', 'time() - min(cec_exporter_results_oldest_pending_timestamp_seconds{%s}) or 0 * sum(cec_exporter_results_pending{%s})' % [s, s], 's', none=ofResults, decimals=1))],
    ],
    'Teams',
    [
      [24, 9, enabled(p.table('Teams', 'One row per team, in the selected time range. "none" are calls of agents without a team, "other" those of teams beyond max_teams. Silent is the time in which the agent does not speak. A share of failures needs twenty calls.', [
        teams.columns.calls,
        teams.columns.callsChange,
        teams.columns.failed,
        teams.columns.duration,
        teams.columns.speed,
        teams.columns.speedChange,
        teams.columns.silence,
        teams.columns.talk,
      ], named('team', 'Team'), none=ofTeams, sort='Calls'))],
    ],
    [
      [12, 9, lines(p.graph('Speaking speed by team', 'Mean speaking speed of the agents of a team, over six hours.', [
        [teamMean('cec_team_call_speech_characters_per_minute', hours), '{{team}}'],
      ], 'suffix: chars/min', min=null, decimals=0))],
      [12, 9, lines(p.graph('Speed by team vs last week', 'Change of the mean against a week before: 0 means no change. Empty until there is a week of history.', [
        ['%s / (%s) - 1' % [teamMean('cec_team_call_speech_characters_per_minute', hours), teamMean('cec_team_call_speech_characters_per_minute', hours, lastWeek)], '{{team}}'],
      ], 'percentunit', min=null, decimals=1))],
    ],
    'Scores',
    [
      [12, 9, lines(p.graph('Mean score by scenario', 'Mean points of the results that came in over six hours, by business scenario. "A week before" is that of all scenarios.', [
        [meanScore(hours, 'scenario'), '{{scenario}}'],
        [meanScore(hours, '', lastWeek), t('a week before')],
      ], 'none', min=null, decimals=1))],
      [12, 9, enabled(p.heatmap('Distribution of scores', 'Inspected calls by points, over all scenarios.', q.buckets(score, s, '$__rate_interval', b.steady), 'none'))],
    ],
    'Rules',
    [
      [16, 12, enabled(p.table('Most violated rules', 'The twenty rules with the largest share of violations in the selected time range. The change is that of the violations per 100 calls since a week before.', [
        { name: 'Per 100 calls', expr: '100 * ' + worst, unit: 'none', decimals: 1, width: 105 },
        { name: 'vs last week', expr: top('100 * (%s - %s)' % [violated(range, ofRule), violated(range, ofRule, lastWeek)]), unit: 'none', decimals: 1, width: 110 },
        { name: 'Checked', expr: top(rules(range, ofRule)), unit: 'locale', decimals: 0, width: 75 },
      ], [
        [config.clusterLabel, 'Cluster', [p.width(65)]],
        ['target', 'Target', [p.width(80)]],
        ['scenario', 'Scenario', [p.width(180)]],
        ['kind', 'Kind', [p.width(85), { id: 'mappings', value: p.mapping([[kind, kind, 'text'] for kind in ['dialogue', 'silence', 'speed', 'interposal']]) }]],
        ['rule', 'Rule'],
      ], none=ofResults, sort='Per 100 calls'))],
      [8, 12, lines(p.graph('Violated rules by scenario', 'Share of all checks of a rule that found it violated, over six hours. "A week before" is that of all scenarios.', [
        [violated(hours, 'scenario'), '{{scenario}}'],
        [violated(hours, '', lastWeek), t('a week before')],
      ], 'percentunit', min=null, decimals=1)) { options+: { legend+: { placement: 'bottom' } } }],
    ],
    { row: 'Agents', lines: [
      [
        [24, 10, enabled(p.table('Busiest agents', 'The fifteen agents with the most calls in the selected time range. A share of failures needs ten calls. The page on privacy says what this reveals.', [
          only(busiest, column)
          for column in [agents.columns.calls, agents.columns.failed, agents.columns.duration, agents.columns.speed, agents.columns.silence, agents.columns.talk]
        ], agent, none=ofAgents, sort='Calls'))],
      ],
      [
        [12, 10, farthest('Agents far from the mean speed', 'The fifteen agents whose mean speaking speed is farthest from that of all agents of the target, in either direction. Agents with fewer than ten calls are left out.', 'call_speech_characters_per_minute', agents.columns.speed)],
        [12, 10, farthest('Agents far from the mean silence', 'The fifteen agents whose mean silence is farthest from that of all agents of the target, in either direction. Agents with fewer than ten calls are left out.', 'call_silence_seconds', agents.columns.silence)],
      ],
    ] },
    { row: 'Details', lines: [
      [
        [12, 8, enabled(p.graph('Results an hour by outcome', 'Counted: the call has a score. Empty: inspected for no scenario. Failed: the request is repeated later. Expired: given up, because the call left the lookback.', [
          ['3600 * sum by (outcome) (%s)' % q.one('rate(cec_exporter_results_total{%s}[$__rate_interval])' % s), '{{outcome}}'],
        ], 'locale', interval='15m', decimals=0))],
        [12, 8, enabled(p.graph('Results pending by target', 'Calls whose inspection result is still to be requested. If it grows all day, lower the share or raise the rate.', [
          ['sum by (%s) (%s)' % [b.by, q.one('cec_exporter_results_pending{%s}' % s)], b.who],
        ], 'locale', decimals=0))],
      ],
      [
        [12, 8, lines(p.graph('Silence by team', 'Mean time of a call in which the agents of a team are silent, over six hours.', [
          [teamMean('cec_team_call_silence_seconds', hours), '{{team}}'],
        ], 'suffix: s', min=null, decimals=0))],
        [12, 8, p.table('Limits', 'Teams, agents and rules that count as "other", because their limit is reached; and whether the last change of teams_file was accepted.', [
          { name: 'Teams', expr: 'max by (%s) (cec_exporter_folded_teams{%s})' % [b.by, s], unit: 'locale', colours: [p.step('orange', 1)] },
          { name: 'Agents', expr: 'max by (%s) (cec_exporter_folded_agents{%s})' % [b.by, s], unit: 'locale', colours: [p.step('orange', 1)] },
          { name: 'Rules', expr: 'max by (%s) (cec_exporter_folded_rules{%s})' % [b.by, s], unit: 'locale', colours: [p.step('orange', 1)] },
          { name: 'Teams file', expr: 'min by (%s) (cec_exporter_teams_file_last_reload_successful{%s})' % [b.by, s], mappings: p.mapping([['1', 'accepted', 'green'], ['0', 'rejected', 'red']]), colours: [p.step('red', 0), p.step('green', 1)] },
        ], [[config.clusterLabel, 'Cluster'], ['target', 'Target']], none='no data') { links: [page] }],
      ],
    ] },
    { row: 'Terms', lines: [[[24, 7, b.guide]]] },
  ], time='now-7d')
